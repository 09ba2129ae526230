package train

import (
	"math"

	"github.com/posttrain/posttrain/tensor/bnb"
)

// Layout of 8-bit state, that of bitsandbytes.
const (
	// block8 is the number of values that share a scale.
	block8 = 256
	// minEightBit is the number of elements from which on a parameter's state
	// is stored in 8 bits; small tensors need the precision more than the memory.
	minEightBit = 4096
)

// blocks8 is a state tensor in 8 bits: codes of value/absmax, with the largest
// magnitude of each block of 256 (the last may be short).
type blocks8 struct {
	codes  []byte
	absmax []float32
	table  *[256]float32 // what codes stand for, ascending
}

// newBlocks8 is a tensor of n zeros.
func newBlocks8(n int, nonNegative bool) *blocks8 {
	table := bnb.DynamicMap(!nonNegative)
	b := &blocks8{codes: make([]byte, n), absmax: make([]float32, (n+block8-1)/block8), table: &table}
	zero := bnb.NearestCode(&table, 0)
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
		codes[i] = bnb.NearestCode(b.table, v*inverse)
	}
}
