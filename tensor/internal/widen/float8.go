package widen

import "math"

// The decodings of every 8-bit float, filled once: reading a table beats
// computing, and the tables never change.
var (
	e4m3Table = table(fromE4M3)
	e5m2Table = table(fromE5M2)
	e8m0Table = table(fromE8M0)
)

func table(decode func(uint8) float32) (t [256]float32) {
	for i := range t {
		t[i] = decode(uint8(i))
	}
	return t
}

// F8E4M3 widens 8-bit floats of 4 exponent and 3 fraction bits in the variant
// without infinities ("fn": Micikevicius et al. 2022, arXiv:2209.05433).
func F8E4M3(dst []float32, src []byte) { look(dst, src, &e4m3Table) }

// F8E5M2 widens 8-bit floats of 5 exponent and 2 fraction bits, the upper half
// of IEEE half precision (same source).
func F8E5M2(dst []float32, src []byte) { look(dst, src, &e5m2Table) }

// F8E8M0 widens 8-bit powers of two with bias 127; 255 is NaN (OCP microscaling
// formats 1.0, section 5.4.1).
func F8E8M0(dst []float32, src []byte) { look(dst, src, &e8m0Table) }

func look(dst []float32, src []byte, t *[256]float32) {
	mustHold(src, len(dst), 1)
	for i, b := range src {
		dst[i] = t[b]
	}
}

func fromE4M3(b uint8) float32 {
	sign, exp, frac := uint32(b&0x80)<<24, uint32(b>>3&15), uint32(b&7)
	switch {
	case b&0x7f == 0x7f:
		return math.Float32frombits(sign | 0x7fc00000)
	case exp == 0:
		v := float32(frac) * (1.0 / (1 << 9)) // exact
		return math.Float32frombits(sign | math.Float32bits(v))
	}
	return math.Float32frombits(sign | (exp+120)<<23 | frac<<20)
}

func fromE5M2(b uint8) float32 {
	sign, exp, frac := uint32(b&0x80)<<24, uint32(b>>2&31), uint32(b&3)
	switch {
	case exp == 31 && frac != 0:
		return math.Float32frombits(sign | 0x7fc00000)
	case exp == 31:
		return math.Float32frombits(sign | 0x7f800000)
	case exp == 0:
		v := float32(frac) * (1.0 / (1 << 16)) // exact
		return math.Float32frombits(sign | math.Float32bits(v))
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<21)
}

func fromE8M0(b uint8) float32 {
	if b == 255 {
		return float32(math.NaN())
	}
	return float32(math.Ldexp(1, int(b)-127)) // exact: float32 holds 2⁻¹²⁷ as a subnormal
}
