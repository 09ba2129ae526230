package dpo

import (
	"cmp"
	"slices"

	"github.com/posttrain/posttrain/tensor"
)

// sorted is the live elements of x (B) in ascending order, equal ones in their
// old order; each gradient goes back to where its element stood.
func sorted(x *tensor.Node) *tensor.Node { return tensor.Gather(x, argSort(x)) }

// argSort is the int32 indices that put x in ascending order.
func argSort(x *tensor.Node) *tensor.Node {
	if x == nil || x.Dims() != 1 {
		tensor.Fail("dpo: sort: got %v, want a vector", x)
	}
	kernel := argSortKernel[float32]
	if x.Dtype() == tensor.Float64 {
		kernel = argSortKernel[float64]
	}
	return tensor.Apply(tensor.Spec{
		Name:           "arg_sort",
		Out:            []tensor.Output{{Shape: x.Shape().Clone(), Dtype: tensor.Int32, Axis: 1}},
		Differentiable: []bool{false},
		Kernel:         kernel,
	}, x)[0]
}

func argSortKernel[T tensor.Float](c *tensor.Call) {
	x, order := tensor.Slice[T](&c.In[0]), tensor.Slice[int32](&c.Out[0])
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Or(cmp.Compare(x[a], x[b]), cmp.Compare(a, b)) })
}
