package gguf

// The types below have one scale d a block and numbers of one, two or three
// levels around zero.

// decodeTQ1 decodes blocks of 256: five ternary digits a byte, as the fraction
// n/243 of 256 rounded up, so that the next digit is what a product with 3 carries
// over. 32 bytes hold 160 numbers, 16 hold 80, and 4 hold 16 (four digits each).
func decodeTQ1(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[256:], src[54:] {
		d := half(src[52:])
		t := [3]float32{-d, 0 * d, d}
		digits(dst[:160], src[:32], &t)
		digits(dst[160:240], src[32:48], &t)
		digits(dst[240:256], src[48:52], &t)
	}
}

// digits writes the digits of q, the first of all bytes first.
func digits(y []float32, q []byte, t *[3]float32) {
	for i, b := range q {
		for ; i < len(y); i += len(q) {
			y[i] = t[uint16(b)*3>>8]
			b *= 3
		}
	}
}

// decodeTQ2 decodes blocks of 256: two bits a number, four times 32 numbers in
// each 32 bytes; value d·(q-1).
func decodeTQ2(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[256:], src[66:] {
		d := half(src[64:])
		t := [4]float32{-d, 0 * d, d, 2 * d}
		for i, b := range src[:64] {
			y := dst[i>>5*128+i&31:]
			y[0], y[32], y[64], y[96] = t[b&3], t[b>>2&3], t[b>>4&3], t[b>>6]
		}
	}
}

// decodeQ1x0 decodes blocks of 128: d, then one bit a number, d or -d.
func decodeQ1x0(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[128:], src[18:] {
		d := half(src)
		t := [2]float32{-d, d}
		for i := range 128 {
			dst[i] = t[src[2+i>>3]>>(i&7)&1]
		}
	}
}

// decodeQ2x0 decodes blocks of 64: d, then two bits a number; d·(q-1).
func decodeQ2x0(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[64:], src[18:] {
		d := half(src)
		t := [4]float32{-d, 0 * d, d, 2 * d}
		for i := range 64 {
			dst[i] = t[src[2+i>>2]>>(i&3*2)&3]
		}
	}
}
