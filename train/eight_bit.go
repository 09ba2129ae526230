package train

import (
	"math"
	"slices"
)

// Layout of 8-bit state, that of bitsandbytes.
const (
	// block8 is the number of values that share a scale.
	block8 = 256
	// minEightBit is the number of elements from which on a parameter's state
	// is stored in 8 bits; small tensors need the precision more than the memory.
	minEightBit = 4096
)

// map8 are the 256 values that codes stand for, in ascending order.
type map8 [256]float32

// newMap8 makes the dynamic tree map of Dettmers et al. 2021 ("8-bit Optimizers
// via Block-wise Quantization", arXiv:2110.02861, section 2.1), as bitsandbytes
// builds it: the middles of equal steps between 0.1 and 1, twice as many in each
// of seven decades as in the one below, and 0 and 1. The signed map has half of
// them on each side; it has no -1.
func newMap8(nonNegative bool) *map8 {
	const decades = 7
	values := []float32{0, 1}
	for i := range decades {
		n := 1 << i
		if nonNegative {
			n *= 2
		}
		scale := float32(math.Pow(10, float64(i-decades+1)))
		for k := range n {
			v := scale * ((edge8(k, n) + edge8(k+1, n)) / 2)
			values = append(values, v)
			if !nonNegative {
				values = append(values, -v)
			}
		}
	}
	slices.Sort(values)
	var m map8
	copy(m[:], values)
	return &m
}

// edge8 is edge k of n equal steps from 0.1 to 1 in float32, counted from the
// nearer end and rounded once, as torch.linspace does: all 256 values are the
// library's, bit for bit.
func edge8(k, n int) float32 {
	step := float64((float32(1) - float32(0.1)) / float32(n))
	if k < (n+1)/2 {
		return float32(float64(float32(0.1)) + step*float64(k))
	}
	return float32(1 - step*float64(n-k))
}

// code is the number of the map entry nearest to x in [-1, 1]; in the middle
// between two it is the lower one.
func (m *map8) code(x float32) byte {
	lo, hi := 0, len(m)-1
	for hi-lo > 1 {
		mid := (lo + hi) / 2
		if m[mid] <= x {
			lo = mid
		} else {
			hi = mid
		}
	}
	if m[hi]-x < x-m[lo] {
		return byte(hi)
	}
	return byte(lo)
}

// blocks8 is a state tensor in 8 bits: codes of value/absmax, with the largest
// magnitude of each block of 256 (the last may be short).
type blocks8 struct {
	codes  []byte
	absmax []float32
	table  *map8
}

// newBlocks8 is a tensor of n zeros.
func newBlocks8(n int, nonNegative bool) *blocks8 {
	b := &blocks8{codes: make([]byte, n), absmax: make([]float32, (n+block8-1)/block8), table: newMap8(nonNegative)}
	zero := b.table.code(0)
	for i := range b.codes {
		b.codes[i] = zero
	}
	return b
}

// unpack writes the values from element lo on, which starts a block, into dst.
func (b *blocks8) unpack(dst []float32, lo int) {
	scale := b.absmax[lo/block8]
	for i, c := range b.codes[lo : lo+len(dst)] {
		dst[i] = scale * b.table[c]
	}
}

// pack stores a block whose first element is lo.
func (b *blocks8) pack(src []float32, lo int) {
	var top float32
	for _, v := range src {
		top = max(top, float32(math.Abs(float64(v))))
	}
	b.absmax[lo/block8] = top
	inverse := float32(0)
	if top > 0 {
		inverse = 1 / top
	}
	codes := b.codes[lo : lo+len(src)]
	for i, v := range src {
		codes[i] = b.table.code(v * inverse)
	}
}
