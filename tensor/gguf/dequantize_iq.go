package gguf

import "encoding/binary"

// The IQ1, IQ2 and IQ3 types hold 256 numbers a block. Groups of eight or four
// numbers are entries of a codebook, told by index, times a sign for each number
// and the scale of a sub-block of 16 or 32.

// apply writes one codebook entry times a scale; bit i of signs negates number i.
func apply(y []float32, entry []int8, scale float32, signs byte) {
	for i, g := range entry {
		v := scale * float32(g)
		if signs>>i&1 != 0 {
			v = -v
		}
		y[i] = v
	}
}

// decodeIQ2XXS: d, then for each 32 numbers four indices of a byte and a word of
// four times seven signs and a scale s of four bits; scale d·(s+1/2)/4.
func decodeIQ2XXS(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[256:], src[66:] {
		d := half(src)
		for sub := range 8 {
			q := src[2+8*sub:][:8]
			word := binary.LittleEndian.Uint32(q[4:])
			scale := d * (0.5 + float32(word>>28)) * 0.25
			for k := range 4 {
				apply(dst[32*sub+8*k:][:8], gridIQ2XXS[q[k]][:], scale, evenSigns(word>>(7*k)))
			}
		}
	}
}

// decodeIQ2XS: d, 32 words of nine bits of index and seven signs, 16 scales s of
// four bits; scale d·(s+1/2)/4 for each 16 numbers.
func decodeIQ2XS(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[256:], src[74:] {
		d, scales := half(src), src[66:74]
		for k := range 32 {
			q := binary.LittleEndian.Uint16(src[2+2*k:])
			scale := d * (0.5 + float32(scales[k>>2]>>(k>>1&1*4)&15)) * 0.25
			apply(dst[8*k:][:8], gridIQ2XS[q&511][:], scale, evenSigns(uint32(q>>9)))
		}
	}
}

// decodeIQ2S: d, 32 low bytes of indices, 32 bytes of signs, the two high bits of
// the indices, 16 scales as in IQ2_XS.
func decodeIQ2S(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[256:], src[82:] {
		d, low, signs, high, scales := half(src), src[2:34], src[34:66], src[66:74], src[74:82]
		for k := range 32 {
			index := int(low[k]) | int(high[k>>2]>>(k&3*2)&3)<<8
			scale := d * (0.5 + float32(scales[k>>2]>>(k>>1&1*4)&15)) * 0.25
			apply(dst[8*k:][:8], gridIQ2S[index][:], scale, signs[k])
		}
	}
}

// decodeIQ3XXS: d, 64 indices, then for each 32 numbers a word as in IQ2_XXS;
// scale d·(s+1/2)/2.
func decodeIQ3XXS(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[256:], src[98:] {
		d, q := half(src), src[2:66]
		for sub := range 8 {
			word := binary.LittleEndian.Uint32(src[66+4*sub:])
			scale := d * (0.5 + float32(word>>28)) * 0.5
			for k := range 8 {
				signs := evenSigns(word>>(7*(k>>1))) >> (k & 1 * 4)
				apply(dst[32*sub+4*k:][:4], gridIQ3XXS[q[8*sub+k]][:], scale, signs)
			}
		}
	}
}

// decodeIQ3S: d, 64 low bytes of indices, their ninth bits, 32 bytes of signs, 8
// scales s of four bits; scale d·(1+2s) for each 32 numbers.
func decodeIQ3S(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[256:], src[110:] {
		d, low, high, signs, scales := half(src), src[2:66], src[66:74], src[74:106], src[106:110]
		for k := range 64 {
			index := int(low[k]) | int(high[k>>3]>>(k&7)&1)<<8
			scale := d * float32(1+2*(scales[k>>4]>>(k>>3&1*4)&15))
			apply(dst[4*k:][:4], gridIQ3S[index][:], scale, signs[k>>1]>>(k&1*4))
		}
	}
}

// decodeIQ1S: d, 32 low bytes of indices, and for each 32 numbers a word of four
// times three high bits, a scale s of three bits and the sign of a shift; value
// d·(1+2s)·(entry ± 1/8).
func decodeIQ1S(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[256:], src[50:] {
		d, low := half(src), src[2:34]
		for k := range 32 {
			word := binary.LittleEndian.Uint16(src[34+k>>2*2:])
			scale := d * float32(1+2*(word>>12&7))
			index := int(low[k]) | int(word>>(k&3*3)&7)<<8
			shifted(dst[8*k:][:8], &gridIQ1[index], scale, word>>15 != 0)
		}
	}
}

// decodeIQ1M: 32 low bytes of indices, for each a nibble of three high bits and
// the sign of a shift, and four words of four scales of three bits and a quarter
// of d; scales and values as in IQ1_S, one scale for 16 numbers.
func decodeIQ1M(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[256:], src[56:] {
		low, high, packed := src[:32], src[32:48], src[48:56]
		var quarters [2]byte
		quarters[0] = packed[1]>>4 | packed[3]&0xf0
		quarters[1] = packed[5]>>4 | packed[7]&0xf0
		d := half(quarters[:])
		for k := range 32 {
			word := binary.LittleEndian.Uint16(packed[k>>3*2:])
			scale := d * float32(1+2*(word>>(k>>1&3*3)&7))
			nibble := high[k>>1] >> (k & 1 * 4)
			index := int(low[k]) | int(nibble&7)<<8
			shifted(dst[8*k:][:8], &gridIQ1[index], scale, nibble&8 != 0)
		}
	}
}

// shifted writes an entry of the ternary codebook, moved by an eighth.
func shifted(y []float32, entry *[8]int8, scale float32, down bool) {
	delta := float32(0.125)
	if down {
		delta = -delta
	}
	for i, g := range entry {
		y[i] = scale * (float32(g) + delta)
	}
}
