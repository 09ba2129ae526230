package gguf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/internal/kernel"
)

// ErrRange says that numbers do not fit a type: the scale of a block is larger
// than a half float, or a number is not finite where blocks need one.
var ErrRange = errors.New("out of range")

// Encodes reports whether this package can write float32 numbers as the type.
func (t Type) Encodes() bool { return t.known() && layouts[t].encode != nil }

// Quantize encodes src as whole blocks of type t into dst, whose length must be
// that of the blocks. F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0 and Q5_1 give the
// bytes that ggml gives; see the package's documentation for how each rounds, and
// for the K types. Numbers that do not fit are an error that wraps [ErrRange];
// dst is undefined then.
func Quantize(dst []byte, t Type, src []float32) error {
	if err := t.check(); err != nil {
		return fmt.Errorf("gguf: quantise: %w", err)
	}
	if !t.Encodes() {
		return fmt.Errorf("gguf: quantise: type %s is not supported", t)
	}
	l := layouts[t]
	if len(src)%l.block != 0 || len(src)/l.block*l.size != len(dst) {
		return fmt.Errorf("gguf: quantise: got %d numbers for %d bytes of %s, want %d numbers for each %d bytes", len(src), len(dst), t, l.block, l.size)
	}
	if err := quantize(dst, t, src); err != nil {
		return fmt.Errorf("gguf: quantise: %w", err)
	}
	return nil
}

// quantize encodes blocks one by one, so that a fault can name its place.
func quantize(dst []byte, t Type, src []float32) error {
	l := layouts[t]
	for i := range len(src) / l.block {
		x := src[i*l.block:][:l.block]
		if l.block > 1 {
			for j, v := range x {
				if v-v != 0 {
					return fmt.Errorf("number %d is %v, want a finite one for %s: %w", i*l.block+j, v, t, ErrRange)
				}
			}
		}
		if !l.encode(dst[i*l.size:][:l.size], x) {
			return fmt.Errorf("numbers %d to %d do not fit %s: %w", i*l.block, (i+1)*l.block-1, t, ErrRange)
		}
	}
	return nil
}

// Encoders fill one block and report whether its numbers fit.

func encodeF32(dst []byte, x []float32) bool {
	binary.LittleEndian.PutUint32(dst, math.Float32bits(x[0]))
	return true
}

func encodeF16(dst []byte, x []float32) bool { return putHalf(dst, x[0]) }

func encodeBF16(dst []byte, x []float32) bool {
	h := kernel.ToBF16(x[0])
	binary.LittleEndian.PutUint16(dst, h)
	return h&0x7fff != 0x7f80 || math.IsInf(float64(x[0]), 0)
}

// putHalf writes v rounded to a half float, nearest and ties to even, and
// reports whether a finite v stayed finite.
func putHalf(dst []byte, v float32) bool {
	h := kernel.ToF16(v)
	binary.LittleEndian.PutUint16(dst, h)
	return h&0x7fff != 0x7c00 || math.IsInf(float64(v), 0)
}

// inverse is 1/d in float32, of the scale before it is rounded to a half; 0 for a
// scale so small that its inverse is infinite, which is 0 as a half.
func inverse(d float32) float32 {
	id := 1 / d
	if d == 0 || math.IsInf(float64(id), 0) {
		return 0
	}
	return id
}

// encodeQ8x0: d is the largest magnitude over 127; numbers are rounded to the
// nearest, ties away from zero.
func encodeQ8x0(dst []byte, x []float32) bool {
	d := magnitude(x) / 127
	id := inverse(d)
	for i, v := range x {
		dst[2+i] = byte(int8(math.Round(float64(v * id))))
	}
	return putHalf(dst, d)
}

func magnitude(x []float32) float32 {
	most := float32(0)
	for _, v := range x {
		most = max(most, float32(math.Abs(float64(v))))
	}
	return most
}

// peak is the first number of the largest magnitude, with its sign.
func peak(x []float32) float32 {
	most, at := float32(0), float32(0)
	for _, v := range x {
		if a := float32(math.Abs(float64(v))); a > most {
			most, at = a, v
		}
	}
	return at
}

// encodeQ4x0: the number of largest magnitude becomes the code 0, so d has the
// opposite sign; the others are x/d + 8.5 cut to a whole number of at most 15.
func encodeQ4x0(dst []byte, x []float32) bool {
	d := peak(x) / -8
	id := inverse(d)
	for i := range 16 {
		lo := min(15, int32(float32(x[i]*id)+8.5))
		hi := min(15, int32(float32(x[i+16]*id)+8.5))
		dst[2+i] = byte(lo) | byte(hi)<<4
	}
	return putHalf(dst, d)
}

// encodeQ5x0: as Q4_0 with 5 bits.
func encodeQ5x0(dst []byte, x []float32) bool {
	d := peak(x) / -16
	id := inverse(d)
	var q [32]uint32
	for i, v := range x {
		q[i] = uint32(min(31, int32(float32(v*id)+16.5)))
	}
	putFive(dst[2:], &q)
	return putHalf(dst, d)
}

// putFive writes 32 numbers of five bits: the fifth bits first.
func putFive(dst []byte, q *[32]uint32) {
	high := uint32(0)
	for i, v := range q {
		high |= v >> 4 << i
	}
	binary.LittleEndian.PutUint32(dst, high)
	for i := range 16 {
		dst[4+i] = byte(q[i]&15 | q[i+16]&15<<4)
	}
}

// span is the smallest number and the step of levels codes from there to the
// largest.
func span(x []float32, levels float32) (least, d float32) {
	least, most := x[0], x[0]
	for _, v := range x[1:] {
		if v < least {
			least = v
		}
		if v > most {
			most = v
		}
	}
	return least, (most - least) / levels
}

// encodeQ4x1: from the least to the largest in 15 steps, rounded to the nearest,
// ties up.
func encodeQ4x1(dst []byte, x []float32) bool {
	least, d := span(x, 15)
	id := inverse(d)
	for i := range 16 {
		lo := min(15, int32(float32((x[i]-least)*id)+0.5))
		hi := min(15, int32(float32((x[i+16]-least)*id)+0.5))
		dst[4+i] = byte(lo) | byte(hi)<<4
	}
	return putHalf(dst, d) && putHalf(dst[2:], least) && finite(d)
}

// encodeQ5x1: as Q4_1 in 31 steps.
func encodeQ5x1(dst []byte, x []float32) bool {
	least, d := span(x, 31)
	id := inverse(d)
	var q [32]uint32
	for i, v := range x {
		q[i] = uint32(min(31, int32(float32((v-least)*id)+0.5)))
	}
	putFive(dst[4:], &q)
	return putHalf(dst, d) && putHalf(dst[2:], least) && finite(d)
}

func finite(v float32) bool { return v-v == 0 }
