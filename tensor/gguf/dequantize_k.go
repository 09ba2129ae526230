package gguf

// The K types hold 256 numbers a block in sub-blocks of 16 or 32 with scales of
// their own, which are small integers times one or two half floats.

// decodeQ2K: 16 bytes of scale and minimum (4 bits each), 64 bytes of 2-bit
// numbers, d, dmin; value d·scale·q - dmin·min, sub-blocks of 16.
func decodeQ2K(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[256:], src[84:] {
		scales, d, dmin := src[:16], half(src[80:]), half(src[82:])
		for sub := range 16 {
			// Sub-blocks 0 to 7 share the first 32 bytes, two for each bit pair.
			q := src[16+sub>>3*32+sub&1*16:][:16]
			shift := uint(sub>>1&3) * 2
			dl, ml := d*float32(scales[sub]&15), dmin*float32(scales[sub]>>4)
			t := [4]float32{float32(dl*0) - ml, dl - ml, float32(dl*2) - ml, float32(dl*3) - ml}
			y := dst[sub*16:][:16]
			for i, b := range q {
				y[i] = t[b>>shift&3]
			}
		}
	}
}

// decodeQ3K: 32 bytes of high bits, 64 bytes of 2-bit numbers, 16 scales of 6
// bits in 12 bytes, d; value d·(scale-32)·(q - 4 where the high bit is clear).
func decodeQ3K(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[256:], src[110:] {
		high, packed, d := src[:32], src[96:108], half(src[108:])
		for sub := range 16 {
			// Low four bits: 8 bytes of two halves; high two bits: 4 bytes of four pairs.
			scale := packed[sub&7]>>(sub>>3*4)&15 | packed[8+sub&3]>>(sub>>2*2)&3<<4
			dl := d * float32(int32(scale)-32)
			q := src[32+sub>>3*32+sub&1*16:][:16]
			h := high[sub&1*16:][:16]
			shift, bit := uint(sub>>1&3)*2, uint(sub>>1)
			var t [8]float32
			for i := range t {
				t[i] = dl * float32(i-4)
			}
			y := dst[sub*16:][:16]
			for i, b := range q {
				y[i] = t[b>>shift&3|h[i]>>bit&1<<2]
			}
		}
	}
}

// scaleMin6 unpacks the 6-bit scale and minimum of sub-block j from the 12 bytes
// of a Q4_K or Q5_K block.
func scaleMin6(p []byte, j int) (scale, minimum uint8) {
	if j < 4 {
		return p[j] & 63, p[j+4] & 63
	}
	return p[j+4]&15 | p[j-4]>>6<<4, p[j+4]>>4 | p[j]>>6<<4
}

// decodeQ4K: d, dmin, 8 scales and minima of 6 bits, 128 bytes of 4-bit numbers;
// value d·scale·q - dmin·min, sub-blocks of 32.
func decodeQ4K(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[256:], src[144:] {
		d, dmin, packed := half(src), half(src[2:]), src[4:16]
		for pair := range 4 {
			var lo, hi [16]float32
			fill(&lo, d, dmin, packed, 2*pair)
			fill(&hi, d, dmin, packed, 2*pair+1)
			y := dst[pair*64:][:64]
			for i, b := range src[16+pair*32:][:32] {
				y[i], y[i+32] = lo[b&15], hi[b>>4]
			}
		}
	}
}

// fill lists the values that the low four bits of sub-block j can mean.
func fill(t *[16]float32, d, dmin float32, packed []byte, j int) {
	s, m := scaleMin6(packed, j)
	dl, ml := d*float32(s), dmin*float32(m)
	for i := range t {
		t[i] = float32(dl*float32(i)) - ml
	}
}

// decodeQ5K: as Q4_K with a fifth bit of every number in 32 further bytes.
func decodeQ5K(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[256:], src[176:] {
		d, dmin, packed, high := half(src), half(src[2:]), src[4:16], src[16:48]
		for pair := range 4 {
			s, m := scaleMin6(packed, 2*pair)
			d1, m1 := d*float32(s), dmin*float32(m)
			s, m = scaleMin6(packed, 2*pair+1)
			d2, m2 := d*float32(s), dmin*float32(m)
			y := dst[pair*64:][:64]
			for i, b := range src[48+pair*32:][:32] {
				h := high[i] >> (2 * pair)
				y[i] = float32(d1*float32(b&15|h&1<<4)) - m1
				y[i+32] = float32(d2*float32(b>>4|h>>1&1<<4)) - m2
			}
		}
	}
}

// decodeQ6K: 128 bytes of low four bits, 64 bytes of high two bits, 16 signed
// scales, d; value d·scale·(q-32), sub-blocks of 16.
func decodeQ6K(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[256:], src[210:] {
		d := half(src[208:])
		for part := range 2 {
			low, high, y := src[part*64:][:64], src[128+part*32:][:32], dst[part*128:][:128]
			var s [8]float32
			for i := range s {
				s[i] = d * float32(int8(src[192+part*8+i]))
			}
			for i, h := range high {
				a, b, k := low[i], low[i+32], i>>4
				y[i] = s[k] * float32(int32(a&15|h&3<<4)-32)
				y[i+32] = s[k+2] * float32(int32(b&15|h>>2&3<<4)-32)
				y[i+64] = s[k+4] * float32(int32(a>>4|h>>4&3<<4)-32)
				y[i+96] = s[k+6] * float32(int32(b>>4|h>>6<<4)-32)
			}
		}
	}
}
