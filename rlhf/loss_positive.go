package rlhf

import "github.com/posttrain/posttrain/tensor"

// positive is 1 where x > 0 and 0 elsewhere, NaN included; no gradient.
func positive(x *tensor.Node) *tensor.Node {
	if x == nil || x.Dims() != 1 {
		tensor.Fail("rlhf: positive: got %v, want a vector", x)
	}
	kernel := positiveKernel[float32]
	if x.Dtype() == tensor.Float64 {
		kernel = positiveKernel[float64]
	}
	return tensor.Apply(tensor.Spec{
		Name:           "positive",
		Out:            []tensor.Output{{Shape: x.Shape().Clone(), Dtype: x.Dtype(), Axis: 1}},
		Differentiable: []bool{false},
		Kernel:         kernel,
	}, x)[0]
}

func positiveKernel[T tensor.Float](c *tensor.Call) {
	out := tensor.Slice[T](&c.Out[0])
	for i, x := range tensor.Slice[T](&c.In[0]) {
		out[i] = 0
		if x > 0 {
			out[i] = 1
		}
	}
}

// exceeds is 1 where x > limit; subtraction keeps the sign of a comparison.
func exceeds(x *tensor.Node, limit float64) *tensor.Node {
	return positive(tensor.AddScalar(x, -limit))
}

// fallsBelow is 1 where x < limit.
func fallsBelow(x *tensor.Node, limit float64) *tensor.Node {
	return positive(tensor.AddScalar(tensor.Neg(x), limit))
}

// choose is yes where flag is 1 and no where it is 0.
func choose(flag *tensor.Node, yes, no float64) *tensor.Node {
	return tensor.AddScalar(tensor.Scale(flag, yes-no), no)
}
