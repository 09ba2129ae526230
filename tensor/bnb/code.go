package bnb

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// ErrFormat is wrapped by errors about tensors that contradict themselves.
var ErrFormat = errors.New("bnb: malformed tensor")

// Kind is a four-bit code.
type Kind string

// The codes of bitsandbytes.
const (
	NF4 Kind = "nf4" // quantiles of the normal distribution (Dettmers et al. 2023, arXiv:2305.14314, appendix E)
	FP4 Kind = "fp4" // sign, two bits of exponent, one of mantissa
)

// nf4 are the values of NF4, ascending.
var nf4 = [16]float32{
	-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0,
	0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
}

// fp4 are the values of FP4 in the order of their codes; the upper half are the
// negatives.
var fp4 = [16]float32{
	0, 0.0052083334885537624, 0.6666666865348816, 1, 0.3333333432674408, 0.5, 0.1666666716337204, 0.25,
	0, -0.0052083334885537624, -0.6666666865348816, -1, -0.3333333432674408, -0.5, -0.1666666716337204, -0.25,
}

// Code is what the sixteen codes stand for, as a share of the block's scale.
func (k Kind) Code() ([16]float32, error) {
	switch k {
	case NF4:
		return nf4, nil
	case FP4:
		return fp4, nil
	}
	return [16]float32{}, fmt.Errorf("%w: got quantisation type %q, want nf4 or fp4", ErrFormat, string(k))
}

// step is a value of a code and the bound above which the next one is nearer.
type step struct {
	code  byte
	value float32
	upTo  float32
}

// ladder lists a code's values in ascending order with the middles between them.
// FP4 has two zeros; as in the library, small negative numbers and zero become code
// 0, small positive ones code 8.
func ladder(code [16]float32) []step {
	steps := make([]step, len(code))
	for i, v := range code {
		steps[i] = step{code: byte(i), value: v}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.value, b.value) })
	for i := range steps {
		steps[i].upTo = float32(math.Inf(1))
		if i+1 < len(steps) {
			steps[i].upTo = (steps[i].value + steps[i+1].value) / 2
		}
	}
	return steps
}

// nearest is the code of the step nearest to x.
func nearest(steps []step, x float32) byte {
	for _, s := range steps[:len(steps)-1] {
		if x <= s.upTo {
			return s.code
		}
	}
	return steps[len(steps)-1].code
}
