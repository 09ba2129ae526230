package rlhf

import (
	"fmt"
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// segmentMax is the largest element of x (R) in each segment, whose exclusive ends (G)
// are given; no gradient. It keeps exponentials of a segment in range.
func segmentMax(x, ends *tensor.Node) *tensor.Node {
	kernel := segmentMaxKernel[float32]
	if x.Dtype() == tensor.Float64 {
		kernel = segmentMaxKernel[float64]
	}
	return tensor.Apply(tensor.Spec{
		Name:           "segment_max",
		Out:            []tensor.Output{{Shape: ends.Shape().Clone(), Dtype: x.Dtype(), Axis: 2}},
		Differentiable: []bool{false, false},
		Kernel:         kernel,
	}, x, ends)[0]
}

func segmentMaxKernel[T tensor.Float](c *tensor.Call) {
	x, out := tensor.Slice[T](&c.In[0]), tensor.Slice[T](&c.Out[0])
	first := int32(0)
	for s, end := range tensor.Slice[int32](&c.In[1]) {
		if end < first || int(end) > len(x) {
			panic(fmt.Sprintf("segment %d ends at %d, want at least %d and at most %d", s, end, first, len(x)))
		}
		out[s] = T(math.Inf(-1))
		for _, v := range x[first:end] {
			out[s] = max(out[s], v)
		}
		first = end
	}
}
