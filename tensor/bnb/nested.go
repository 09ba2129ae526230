package bnb

import (
	"fmt"
	"math"
	"slices"
)

// nestedBlock is the number of scales that share a scale of their own.
const nestedBlock = 256

// Nested are the scales of a Four in 8 bits: a scale is
// Code[Codes[i]]·Absmax[i/Block] + Offset.
type Nested struct {
	Codes  []byte
	Absmax []float32    // (⌈len(Codes)/Block⌉)
	Code   [256]float32 // what a code stands for, ascending
	Block  int
	Offset float32
}

// Float32 decodes the scales into dst, which has an element for each.
func (n Nested) Float32(dst []float32) error {
	if n.Block < 1 || len(n.Absmax) != blocks(len(n.Codes), max(1, n.Block)) {
		return fmt.Errorf("%w: got %d nested scales for %d in blocks of %d, want %d", ErrFormat, len(n.Absmax), len(n.Codes), n.Block, blocks(len(n.Codes), max(1, n.Block)))
	}
	if len(dst) != len(n.Codes) {
		return fmt.Errorf("bnb: got room for %d scales, want %d", len(dst), len(n.Codes))
	}
	for i, c := range n.Codes {
		product := n.Code[c] * n.Absmax[i/n.Block] // rounded before the sum, as the library does
		dst[i] = product + n.Offset
	}
	return nil
}

// Nest encodes scales in 8 bits about their mean, with the dynamic map
// (Dettmers et al. 2021, arXiv:2110.02861, section 2.1).
func Nest(absmax []float32) (Nested, error) {
	n := Nested{Codes: make([]byte, len(absmax)), Code: DynamicMap(true), Block: nestedBlock, Absmax: make([]float32, blocks(len(absmax), nestedBlock))}
	var sum float64
	for _, x := range absmax {
		sum += float64(x)
	}
	n.Offset = float32(sum / float64(max(1, len(absmax))))
	for b := range n.Absmax {
		lo := b * nestedBlock
		part := make([]float32, min(nestedBlock, len(absmax)-lo))
		for i := range part {
			part[i] = absmax[lo+i] - n.Offset
		}
		top, err := largest(part)
		if err != nil {
			return Nested{}, fmt.Errorf("bnb: scale %d: %w", lo, err)
		}
		n.Absmax[b] = top
		inverse := float32(0)
		if top > 0 {
			inverse = 1 / top
		}
		for i, x := range part {
			n.Codes[lo+i] = NearestCode(&n.Code, x*inverse)
		}
	}
	return n, nil
}

// DynamicMap makes the dynamic tree map of Dettmers et al. 2021 as bitsandbytes
// builds it, ascending: the middles of equal steps between 0.1 and 1, twice as
// many in each of seven decades as in the one below, and 0 and 1. The signed map
// has half of them on each side; it has no -1.
func DynamicMap(signed bool) [256]float32 {
	const decades = 7
	values := []float32{0, 1}
	for i := range decades {
		n := 1 << i
		if !signed {
			n *= 2
		}
		scale := float32(math.Pow(10, float64(i-decades+1)))
		for k := range n {
			v := scale * ((edge(k, n) + edge(k+1, n)) / 2)
			values = append(values, v)
			if signed {
				values = append(values, -v)
			}
		}
	}
	slices.Sort(values)
	return [256]float32(values)
}

// edge is edge k of n equal steps from 0.1 to 1 in float32, counted from the
// nearer end and rounded once, as torch.linspace does: all 256 values are the
// library's, bit for bit.
func edge(k, n int) float32 {
	step := float64((float32(1) - float32(0.1)) / float32(n))
	if k < (n+1)/2 {
		return float32(float64(float32(0.1)) + step*float64(k))
	}
	return float32(1 - step*float64(n-k))
}

// NearestCode is the number of the entry of an ascending map that is nearest to x
// in [-1, 1]; in the middle between two it is the lower one.
func NearestCode(m *[256]float32, x float32) byte {
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
