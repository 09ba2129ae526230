package rlhf

import "github.com/posttrain/posttrain/tensor"

// column is x (R,1) as a vector (R), or back with wide set.
func column(x *tensor.Node, wide bool) *tensor.Node {
	want, shape := 2, tensor.Shape{x.Shape()[0]}
	if wide {
		want, shape = 1, tensor.Shape{x.Shape()[0], 1}
	}
	if x.Dims() != want || want == 2 && x.Shape()[1] != 1 {
		tensor.Fail("rlhf: column: got %v, want a single score a row", x.Shape())
	}
	kernel := columnKernel[float32]
	if x.Dtype() == tensor.Float64 {
		kernel = columnKernel[float64]
	}
	return tensor.Apply(tensor.Spec{
		Name:           "column",
		Out:            []tensor.Output{{Shape: shape, Dtype: x.Dtype(), Axis: 1}},
		Differentiable: []bool{true},
		Gradient:       func(b *tensor.Backward) tensor.Nodes { return tensor.Nodes{column(b.Grad[0], !wide)} },
		Kernel:         kernel,
	}, x)[0]
}

func columnKernel[T tensor.Float](c *tensor.Call) {
	copy(tensor.Slice[T](&c.Out[0]), tensor.Slice[T](&c.In[0]))
}
