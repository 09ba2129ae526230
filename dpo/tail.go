package dpo

import (
	"slices"

	"github.com/posttrain/posttrain/internal/policy"
)

// appendTail appends the weight of each token of the answers: 1, or α where it
// stands past the end of the other answer of its pair.
//
// Liu et al. 2024, "Length Desensitization in Direct Preference Optimization"
// (LD-DPO), arXiv:2409.06411. α = 1 is DPO, α = 0 cuts both answers to one length.
func appendTail(dst []float64, ends, chosen, rejected []int32, alpha float64) []float64 {
	if len(ends) == 0 {
		return dst
	}
	at := len(dst)
	dst = slices.Grow(dst, int(ends[len(ends)-1]))
	for range ends[len(ends)-1] {
		dst = append(dst, 1)
	}
	for i, c := range chosen {
		r := rejected[i]
		shared := min(policy.SegmentLen(ends, c), policy.SegmentLen(ends, r))
		for _, s := range [...]int32{c, r} {
			first := int(ends[s]) - policy.SegmentLen(ends, s)
			for t := first + shared; t < int(ends[s]); t++ {
				dst[at+t] = alpha
			}
		}
	}
	return dst
}
