package reward

import (
	"fmt"
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// kernel runs a pair of typed kernels by the type of output 0.
func kernel(single, double tensor.Kernel) tensor.Kernel {
	return func(c *tensor.Call) {
		if c.Out[0].Dtype == tensor.Float64 {
			double(c)
			return
		}
		single(c)
	}
}

// SuffixLogSumExp is, for each element of x (A), the logarithm of the sum of the
// exponentials of itself and all after it in its segment; ends (B) holds the
// exclusive ends of the segments.
func SuffixLogSumExp(x, ends *tensor.Node) *tensor.Node {
	if x.Dims() != 1 || ends.Dims() != 1 || ends.Dtype() != tensor.Int32 {
		tensor.Fail("reward: SuffixLogSumExp: got %v %v and ends %v %v, want vectors of floats and of int32", x.Dtype(), x.Shape(), ends.Dtype(), ends.Shape())
	}
	return tensor.Apply(tensor.Spec{
		Name:           "suffix_log_sum_exp",
		Out:            []tensor.Output{{Shape: x.Shape().Clone(), Dtype: x.Dtype(), Axis: 1}},
		Differentiable: []bool{true, false},
		Gradient: func(b *tensor.Backward) tensor.Nodes {
			return tensor.Nodes{suffixGradient(b.In[0], b.In[1], b.Out[0], b.Grad[0]), nil}
		},
		Kernel: kernel(suffixKernel[float32], suffixKernel[float64]),
	}, x, ends)[0]
}

func suffixKernel[T tensor.Float](c *tensor.Call) {
	x, ends, y := tensor.Slice[T](&c.In[0]), tensor.Slice[int32](&c.In[1]), tensor.Slice[T](&c.Out[0])
	eachSegment(ends, len(x), func(lo, hi int) {
		total := math.Inf(-1)
		for i := hi - 1; i >= lo; i-- {
			v := float64(x[i])
			low, high := min(v, total), max(v, total)
			total = high + math.Log1p(math.Exp(low-high))
			y[i] = T(total)
		}
	})
}

// eachSegment calls f for the range of every segment.
func eachSegment(ends []int32, rows int, f func(lo, hi int)) {
	first := 0
	for s, end := range ends {
		if int(end) < first || int(end) > rows {
			panic(fmt.Sprintf("segment %d ends at %d, want at least %d and at most %d", s, end, first, rows))
		}
		f(first, int(end))
		first = int(end)
	}
}

// suffixGradient: ∂y_l/∂x_k = exp(x_k − y_l) for k ≥ l.
func suffixGradient(x, ends, y, dy *tensor.Node) *tensor.Node {
	return tensor.Apply(tensor.Spec{
		Name:           "suffix_log_sum_exp.grad",
		Out:            []tensor.Output{{Shape: x.Shape().Clone(), Dtype: x.Dtype(), Axis: 1}},
		Differentiable: make([]bool, 4),
		Kernel:         kernel(suffixGradientKernel[float32], suffixGradientKernel[float64]),
	}, x, ends, y, dy)[0]
}

func suffixGradientKernel[T tensor.Float](c *tensor.Call) {
	x, ends := tensor.Slice[T](&c.In[0]), tensor.Slice[int32](&c.In[1])
	y, dy, dx := tensor.Slice[T](&c.In[2]), tensor.Slice[T](&c.In[3]), tensor.Slice[T](&c.Out[0])
	clear(dx)
	eachSegment(ends, len(x), func(lo, hi int) {
		for k := lo; k < hi; k++ {
			sum := 0.0
			for l := lo; l <= k; l++ {
				sum += float64(dy[l]) * math.Exp(float64(x[k])-float64(y[l]))
			}
			dx[k] = T(sum)
		}
	})
}
