package rlhf

import (
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// k3 is e^(−d) − 1 + d, computed in float64 so that a small d keeps its digits; the
// derivative is 1 − e^(−d).
func k3(d *tensor.Node) *tensor.Node {
	return elementwise("k3", d, func(d float64) float64 { return math.Expm1(-d) + d }, func(d float64) float64 { return -math.Expm1(-d) })
}

// elementwise is f of each element, with the derivative slope.
func elementwise(name string, x *tensor.Node, f, slope func(float64) float64) *tensor.Node {
	kernel, gradient := elementKernel[float32](f), slopeKernel[float32](slope)
	if x.Dtype() == tensor.Float64 {
		kernel, gradient = elementKernel[float64](f), slopeKernel[float64](slope)
	}
	out := func() []tensor.Output { return []tensor.Output{{Shape: x.Shape().Clone(), Dtype: x.Dtype(), Axis: 1}} }
	return tensor.Apply(tensor.Spec{
		Name: name, Out: out(), Differentiable: []bool{true}, Kernel: kernel,
		Gradient: func(b *tensor.Backward) tensor.Nodes {
			return tensor.Apply(tensor.Spec{Name: name + ".grad", Out: out(), Differentiable: make([]bool, 2), Kernel: gradient}, b.In[0], b.Grad[0])
		},
	}, x)[0]
}

func elementKernel[T tensor.Float](f func(float64) float64) tensor.Kernel {
	return func(c *tensor.Call) {
		y := tensor.Slice[T](&c.Out[0])
		for i, x := range tensor.Slice[T](&c.In[0]) {
			y[i] = T(f(float64(x)))
		}
	}
}

// slopeKernel leaves a zero gradient zero where the slope is not finite.
func slopeKernel[T tensor.Float](slope func(float64) float64) tensor.Kernel {
	return func(c *tensor.Call) {
		dx, dy := tensor.Slice[T](&c.Out[0]), tensor.Slice[T](&c.In[1])
		for i, x := range tensor.Slice[T](&c.In[0]) {
			if dx[i] = 0; dy[i] != 0 {
				dx[i] = T(slope(float64(x)) * float64(dy[i]))
			}
		}
	}
}
