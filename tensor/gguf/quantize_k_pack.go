package gguf

// The encoders below are the decoders of dequantize_k.go the other way round.

func encodeQ2K(dst []byte, x []float32) bool {
	var b fitted
	fitQ2K.fit(x, &b)
	clear(dst)
	for sub := range 16 {
		dst[sub] = byte(b.scale[sub] | b.minimum[sub]<<4)
		q := dst[16+sub>>3*32+sub&1*16:][:16]
		for i := range q {
			q[i] |= byte(b.q[16*sub+i]) << (sub >> 1 & 3 * 2)
		}
	}
	return b.putBoth(dst, 80)
}

func encodeQ3K(dst []byte, x []float32) bool {
	var b fitted
	fitQ3K.fit(x, &b)
	clear(dst)
	for sub := range 16 {
		scale := byte(b.scale[sub] + 32)
		dst[96+sub&7] |= scale & 15 << (sub >> 3 * 4)
		dst[104+sub&3] |= scale >> 4 << (sub >> 2 * 2)
		q, high := dst[32+sub>>3*32+sub&1*16:][:16], dst[sub&1*16:][:16]
		for i := range q {
			v := byte(b.q[16*sub+i] + 4)
			q[i] |= v & 3 << (sub >> 1 & 3 * 2)
			high[i] |= v >> 2 << (sub >> 1)
		}
	}
	return b.put(dst, 108)
}

// putScaleMin6 packs 8 scales and minima of 6 bits into 12 bytes.
func putScaleMin6(p []byte, b *fitted) {
	for j := range 4 {
		s, m := b.scale[j+4], b.minimum[j+4]
		p[j] = byte(b.scale[j] | s>>4<<6)
		p[j+4] = byte(b.minimum[j] | m>>4<<6)
		p[j+8] = byte(s&15 | m&15<<4)
	}
}

func encodeQ4K(dst []byte, x []float32) bool {
	var b fitted
	fitQ4K.fit(x, &b)
	putScaleMin6(dst[4:], &b)
	for pair := range 4 {
		for i := range 32 {
			dst[16+32*pair+i] = byte(b.q[64*pair+i]) | byte(b.q[64*pair+32+i])<<4
		}
	}
	return b.putBoth(dst, 0)
}

func encodeQ5K(dst []byte, x []float32) bool {
	var b fitted
	fitQ5K.fit(x, &b)
	putScaleMin6(dst[4:], &b)
	clear(dst[16:48])
	for pair := range 4 {
		for i := range 32 {
			lo, hi := byte(b.q[64*pair+i]), byte(b.q[64*pair+32+i])
			dst[16+i] |= lo>>4<<(2*pair) | hi>>4<<(2*pair+1)
			dst[48+32*pair+i] = lo&15 | hi<<4
		}
	}
	return b.putBoth(dst, 0)
}

func encodeQ6K(dst []byte, x []float32) bool {
	var b fitted
	fitQ6K.fit(x, &b)
	for part := range 2 {
		low, high, q := dst[64*part:][:64], dst[128+32*part:][:32], b.q[128*part:][:128]
		for i := range 32 {
			v0, v1, v2, v3 := byte(q[i]+32), byte(q[i+32]+32), byte(q[i+64]+32), byte(q[i+96]+32)
			low[i], low[i+32] = v0&15|v2<<4, v1&15|v3<<4
			high[i] = v0>>4 | v1>>4<<2 | v2>>4<<4 | v3>>4<<6
		}
	}
	for i, s := range b.scale {
		dst[192+i] = byte(int8(s))
	}
	return b.put(dst, 208)
}
