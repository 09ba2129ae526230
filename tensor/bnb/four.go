package bnb

import (
	"fmt"
	"math"
)

// Four is a tensor of Len elements in four bits: two codes a byte, the first in
// the high half, and a scale for each Block elements of the flattened tensor (the
// last block may be short).
type Four struct {
	Codes  []byte      // (⌈Len/2⌉)
	Absmax []float32   // (⌈Len/Block⌉), the largest magnitude of each block
	Code   [16]float32 // what a code stands for, as a share of Absmax
	Block  int
	Len    int
}

// Check reports sizes that do not fit each other.
func (f Four) Check() error {
	switch {
	case f.Block < 1 || f.Len < 0:
		return fmt.Errorf("%w: got %d elements in blocks of %d, want blocks of one at least", ErrFormat, f.Len, f.Block)
	case len(f.Codes) != (f.Len+1)/2:
		return fmt.Errorf("%w: got %d bytes for %d elements, want %d", ErrFormat, len(f.Codes), f.Len, (f.Len+1)/2)
	case len(f.Absmax) != blocks(f.Len, f.Block):
		return fmt.Errorf("%w: got %d scales for %d elements in blocks of %d, want %d", ErrFormat, len(f.Absmax), f.Len, f.Block, blocks(f.Len, f.Block))
	}
	return nil
}

// Float32 decodes the tensor into dst, which has Len elements.
func (f Four) Float32(dst []float32) error {
	if err := f.Check(); err != nil {
		return err
	}
	if len(dst) != f.Len {
		return fmt.Errorf("bnb: got room for %d elements, want %d", len(dst), f.Len)
	}
	for b, scale := range f.Absmax {
		lo := b * f.Block
		for i := lo; i < min(lo+f.Block, f.Len); i++ {
			c := f.Codes[i/2] >> 4
			if i%2 == 1 {
				c = f.Codes[i/2] & 15
			}
			dst[i] = f.Code[c] * scale
		}
	}
	return nil
}

// Quantize encodes src in blocks of block elements: each becomes the code nearest
// to its share of the block's largest magnitude. Values that are not finite are
// refused. bitsandbytes' own blocks are 64, 128, 256, 512, 1024, 2048 or 4096.
func Quantize(src []float32, kind Kind, block int) (Four, error) {
	code, err := kind.Code()
	if err != nil {
		return Four{}, err
	}
	if block < 1 {
		return Four{}, fmt.Errorf("bnb: got blocks of %d elements, want one at least", block)
	}
	f := Four{Codes: make([]byte, (len(src)+1)/2), Absmax: make([]float32, blocks(len(src), block)), Code: code, Block: block, Len: len(src)}
	steps := ladder(code)
	for b := range f.Absmax {
		lo := b * block
		part := src[lo:min(lo+block, len(src))]
		top, err := largest(part)
		if err != nil {
			return Four{}, fmt.Errorf("bnb: block %d: %w", b, err)
		}
		f.Absmax[b] = top
		inverse := float32(0)
		if top > 0 {
			inverse = 1 / top
		}
		for i, x := range part {
			at := lo + i
			f.Codes[at/2] |= nearest(steps, x*inverse) << (4 * (1 - at%2))
		}
	}
	if len(src)%2 == 1 { // the library fills the last byte with a zero
		f.Codes[len(f.Codes)-1] |= nearest(steps, 0)
	}
	return f, nil
}

// blocks counts the blocks of n elements.
func blocks(n, block int) int { return (n + block - 1) / block }

// largest is the largest magnitude in src.
func largest(src []float32) (float32, error) {
	var top float32
	for i, x := range src {
		v := float32(math.Abs(float64(x)))
		if !(v <= math.MaxFloat32) {
			return 0, fmt.Errorf("got %g at element %d, want finite numbers", x, i)
		}
		top = max(top, v)
	}
	return top, nil
}
