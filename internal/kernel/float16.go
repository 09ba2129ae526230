package kernel

import "math"

// F16ToF32 widens IEEE half precision values; the result is exact. A NaN stays
// a NaN and becomes quiet.
func F16ToF32(dst []float32, src []uint16) {
	mustLen("F16ToF32", len(src), len(dst))
	if fastWiden(dst, src, F16) {
		return
	}
	for i, h := range src {
		dst[i] = FromF16(h)
	}
}

// F32ToF16 rounds to IEEE half precision, to nearest, ties to even. Subnormals
// are kept, values from 65520 become infinite, and a NaN keeps its sign and the
// upper bits of its payload and becomes quiet.
func F32ToF16(dst []uint16, src []float32) {
	mustLen("F32ToF16", len(src), len(dst))
	if fastNarrow(dst, src, F16) {
		return
	}
	for i, v := range src {
		dst[i] = ToF16(v)
	}
}

// FromF16 widens one half precision value.
func FromF16(h uint16) float32 {
	sign, exp, frac := uint32(h&0x8000)<<16, uint32(h>>10&31), uint32(h&0x3ff)
	switch {
	case exp == 31 && frac != 0:
		return math.Float32frombits(sign | 0x7fc00000 | frac<<13)
	case exp == 31:
		return math.Float32frombits(sign | 0x7f800000)
	case exp == 0:
		v := float32(frac) * (1.0 / (1 << 24)) // exact
		return math.Float32frombits(sign | math.Float32bits(v))
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// ToF16 rounds one value to half precision as F32ToF16 does.
func ToF16(f float32) uint16 {
	b := math.Float32bits(f)
	sign, abs := uint16(b>>16)&0x8000, b&0x7fffffff
	switch {
	case abs > 0x7f800000:
		return sign | 0x7e00 | uint16(abs>>13)&0x3ff
	case abs >= 0x477ff000: // 65520 and above round to infinity
		return sign | 0x7c00
	case abs < 0x38800000: // below 2⁻¹⁴: count units of 2⁻²⁴
		return sign | uint16(math.RoundToEven(float64(math.Float32frombits(abs))*(1<<24)))
	}
	return sign | uint16((abs-112<<23+0xfff+abs>>13&1)>>13)
}
