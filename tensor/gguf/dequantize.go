package gguf

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/internal/kernel"
	"github.com/posttrain/posttrain/tensor/internal/widen"
)

// Dequantize decodes src, whole blocks of type t, into dst, bit for bit as ggml
// does (where a block's scale is NaN or infinite, NaN falls on the same places;
// its payload is not kept). len(dst) must be the count of numbers in src.
func Dequantize(dst []float32, t Type, src []byte) error {
	if err := t.check(); err != nil {
		return fmt.Errorf("gguf: dequantise: %w", err)
	}
	if !t.Decodes() {
		return fmt.Errorf("gguf: dequantise: type %s is not supported", t)
	}
	l := layouts[t]
	if len(src)%l.size != 0 || len(src)/l.size*l.block != len(dst) {
		return fmt.Errorf("gguf: dequantise: got %d bytes of %s for %d numbers, want %d bytes for each %d", len(src), t, len(dst), l.size, l.block)
	}
	l.decode(dst, src)
	return nil
}

func decodeF32(dst []float32, src []byte)  { widen.F32(dst, src) }
func decodeF16(dst []float32, src []byte)  { widen.F16(dst, src) }
func decodeBF16(dst []float32, src []byte) { widen.BF16(dst, src) }
func decodeF64(dst []float32, src []byte)  { widen.F64(dst, src) }
func decodeI8(dst []float32, src []byte)   { widen.I8(dst, src) }
func decodeI16(dst []float32, src []byte)  { widen.I16(dst, src) }
func decodeI32(dst []float32, src []byte)  { widen.I32(dst, src) }
func decodeI64(dst []float32, src []byte)  { widen.I64(dst, src) }

func half(b []byte) float32 { return kernel.FromF16(binary.LittleEndian.Uint16(b)) }

// In all decoders products are rounded before they are added: the conversion
// float32(x*y) forbids the compiler to fuse the two, which would change bits.

// decodeQ4x0 decodes blocks of 32: a half scale d and 4-bit numbers q, the low
// halves first; value d·(q-8).
func decodeQ4x0(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[32:], src[18:] {
		d, q, y := half(src), src[2:18], dst[:32:32]
		var t [16]float32
		for i := range t {
			t[i] = float32(i-8) * d
		}
		for i, b := range q {
			y[i], y[i+16] = t[b&15], t[b>>4]
		}
	}
}

// decodeQ4x1 decodes blocks of 32: half scale d, half minimum m; d·q+m.
func decodeQ4x1(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[32:], src[20:] {
		d, m, q, y := half(src), half(src[2:]), src[4:20], dst[:32:32]
		var t [16]float32
		for i := range t {
			t[i] = float32(float32(i)*d) + m
		}
		for i, b := range q {
			y[i], y[i+16] = t[b&15], t[b>>4]
		}
	}
}

// decodeQ5x0 decodes blocks of 32: half scale d, the fifth bits as one word, then
// the low four bits; d·(q-16).
func decodeQ5x0(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[32:], src[22:] {
		d, high, q, y := half(src), binary.LittleEndian.Uint32(src[2:]), src[6:22], dst[:32:32]
		for i, b := range q {
			lo := int32(b&15) | int32(high>>i&1)<<4
			hi := int32(b>>4) | int32(high>>(i+16)&1)<<4
			y[i], y[i+16] = float32(lo-16)*d, float32(hi-16)*d
		}
	}
}

// decodeQ5x1 decodes blocks of 32: half scale d, half minimum m, fifth bits, low
// four bits; d·q+m.
func decodeQ5x1(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[32:], src[24:] {
		d, m, high, q, y := half(src), half(src[2:]), binary.LittleEndian.Uint32(src[4:]), src[8:24], dst[:32:32]
		for i, b := range q {
			lo := int32(b&15) | int32(high>>i&1)<<4
			hi := int32(b>>4) | int32(high>>(i+16)&1)<<4
			y[i], y[i+16] = float32(float32(lo)*d)+m, float32(float32(hi)*d)+m
		}
	}
}

// decodeQ8x0 decodes blocks of 32: half scale d and signed bytes q; d·q.
func decodeQ8x0(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[32:], src[34:] {
		d, q, y := half(src), src[2:34], dst[:32:32]
		for i, b := range q {
			y[i] = float32(int8(b)) * d
		}
	}
}

// rowBytes is the encoded size of rows of n numbers, which is a whole number of
// blocks; ok is false on overflow.
func (t Type) rowBytes(n uint64) (size uint64, ok bool) {
	l := layouts[t]
	blocks := n / uint64(l.block)
	if blocks > math.MaxInt64/uint64(l.size) {
		return 0, false
	}
	return blocks * uint64(l.size), true
}
