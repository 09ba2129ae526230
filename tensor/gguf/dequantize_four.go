package gguf

import (
	"encoding/binary"
	"math"
)

// The four-bit types below look each number up in a table of sixteen and multiply
// it by a scale.

// levelsIQ4 are the numbers of IQ4_NL and IQ4_XS, denser around zero.
var levelsIQ4 = [16]float32{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

// levelsFP4 are twice the numbers of the 4-bit float E2M1 (OCP microscaling
// formats 1.0, section 5.3.3); zero has no sign here, as in ggml.
var levelsFP4 = [16]float32{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}

// nibbles writes levels times scale: the low halves of q first, then the high.
func nibbles(y []float32, q []byte, levels *[16]float32, scale float32) {
	var t [16]float32
	for i, v := range levels {
		t[i] = scale * v
	}
	for i, b := range q {
		y[i], y[len(q)+i] = t[b&15], t[b>>4]
	}
}

// decodeIQ4NL decodes blocks of 32: d and 16 bytes of codes.
func decodeIQ4NL(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[32:], src[18:] {
		nibbles(dst[:32], src[2:18], &levelsIQ4, half(src))
	}
}

// decodeIQ4XS decodes blocks of 256: d, 8 scales s of six bits (high bits in a
// word, low bits in four bytes), codes; scale d·(s-32) for each 32 numbers.
func decodeIQ4XS(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[256:], src[136:] {
		d, high := half(src), binary.LittleEndian.Uint16(src[2:])
		for sub := range 8 {
			s := int32(src[4+sub>>1]>>(sub&1*4)&15) | int32(high>>(2*sub)&3)<<4
			nibbles(dst[32*sub:][:32], src[8+16*sub:][:16], &levelsIQ4, d*float32(s-32))
		}
	}
}

// decodeMXFP4 decodes blocks of 32: an exponent e and codes; scale 2^(e-128),
// half of what the standard says because the levels are doubled. The code 255,
// which the standard makes NaN, is a power of two here, as in ggml.
func decodeMXFP4(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[32:], src[17:] {
		nibbles(dst[:32], src[1:17], &levelsFP4, float32(math.Ldexp(1, int(src[0])-128)))
	}
}

// decodeNVFP4 decodes blocks of 64: four scales and codes, 8 bytes for each 16
// numbers.
func decodeNVFP4(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[64:], src[36:] {
		for sub := range 4 {
			nibbles(dst[16*sub:][:16], src[4+8*sub:][:8], &levelsFP4, halfUE4M3(src[sub]))
		}
	}
}

// halfUE4M3 is half the value of an unsigned float of 4 exponent bits, bias 7,
// and 3 fraction bits. The top bit does not count, and 127 is zero.
func halfUE4M3(b byte) float32 {
	exp, frac := int(b>>3&15), int(b&7)
	switch {
	case b == 127:
		return 0
	case exp == 0:
		return float32(math.Ldexp(float64(frac), -10))
	}
	return float32(math.Ldexp(float64(8+frac), exp-11))
}
