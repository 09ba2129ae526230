package kernel

import "math"

// BF16ToF32 widens bfloat16 values; the result is exact.
func BF16ToF32(dst []float32, src []uint16) {
	mustLen("BF16ToF32", len(src), len(dst))
	if fastWiden(dst, src, BF16) {
		return
	}
	for i, h := range src {
		dst[i] = FromBF16(h)
	}
}

// F32ToBF16 rounds to bfloat16, to nearest, ties to even. Subnormals are kept,
// values too large become infinite, and a NaN becomes the NaN 0x7fc0 with its
// sign.
func F32ToBF16(dst []uint16, src []float32) {
	mustLen("F32ToBF16", len(src), len(dst))
	if fastNarrow(dst, src, BF16) {
		return
	}
	for i, v := range src {
		dst[i] = ToBF16(v)
	}
}

// FromBF16 widens one bfloat16 value.
func FromBF16(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// ToBF16 rounds one value to bfloat16 as F32ToBF16 does.
func ToBF16(f float32) uint16 {
	b := math.Float32bits(f)
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16)&0x8000 | 0x7fc0
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}
