package group

import (
	"fmt"
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// groupMean gives each element of x (B) the mean of its group of m consecutive
// ones; the live B is a multiple of m. It is its own transpose.
func groupMean(x *tensor.Node, m int) *tensor.Node {
	if x == nil || x.Dims() != 1 {
		tensor.Fail("group: mean: got %v, want a vector", x)
	}
	kernel := meanKernel[float32](m)
	if x.Dtype() == tensor.Float64 {
		kernel = meanKernel[float64](m)
	}
	return tensor.Apply(tensor.Spec{
		Name:           "group_mean",
		Out:            []tensor.Output{{Shape: x.Shape().Clone(), Dtype: x.Dtype(), Axis: 1}},
		Differentiable: []bool{true},
		Gradient:       func(b *tensor.Backward) tensor.Nodes { return tensor.Nodes{groupMean(b.Grad[0], m)} },
		Kernel:         kernel,
	}, x)[0]
}

// whole panics, which becomes the run's error, unless n elements are whole groups.
func whole(n, m int) {
	if n%m != 0 {
		panic(fmt.Sprintf("%d pairs are no whole groups of %d", n, m))
	}
}

func meanKernel[T tensor.Float](m int) tensor.Kernel {
	return func(c *tensor.Call) {
		x, y := tensor.Slice[T](&c.In[0]), tensor.Slice[T](&c.Out[0])
		whole(len(x), m)
		for at := 0; at < len(x); at += m {
			sum := 0.0
			for _, v := range x[at : at+m] {
				sum += float64(v)
			}
			for i := at; i < at+m; i++ {
				y[i] = T(sum / float64(m))
			}
		}
	}
}

// tailLogSum is log Σ_{j≥i} e^{s_j} for each i but the last of a ranking of m+1
// scores s, given as those of all but the last (first, B) and of all but the first
// (second, B), of which only the last counts.
func tailLogSum(first, second *tensor.Node, m int) *tensor.Node {
	if first.Dtype() == tensor.Float64 {
		return applyTail(first, second, tailKernel[float64](m), tailGradKernel[float64](m))
	}
	return applyTail(first, second, tailKernel[float32](m), tailGradKernel[float32](m))
}

func applyTail(first, second *tensor.Node, kernel, grad tensor.Kernel) *tensor.Node {
	out := func(axis int) tensor.Output {
		return tensor.Output{Shape: first.Shape().Clone(), Dtype: first.Dtype(), Axis: axis}
	}
	return tensor.Apply(tensor.Spec{
		Name:           "tail_log_sum",
		Out:            []tensor.Output{out(1)},
		Differentiable: []bool{true, true},
		Gradient: func(b *tensor.Backward) tensor.Nodes {
			return tensor.Apply(tensor.Spec{
				Name: "tail_log_sum.grad", Out: []tensor.Output{out(1), out(1)}, Differentiable: make([]bool, 4), Kernel: grad,
			}, b.In[0], b.In[1], b.Out[0], b.Grad[0])
		},
		Kernel: kernel,
	}, first, second)[0]
}

func tailKernel[T tensor.Float](m int) tensor.Kernel {
	return func(c *tensor.Call) {
		a, b, y := tensor.Slice[T](&c.In[0]), tensor.Slice[T](&c.In[1]), tensor.Slice[T](&c.Out[0])
		whole(len(a), m)
		for at := 0; at < len(a); at += m {
			sum := float64(b[at+m-1])
			for i := at + m - 1; i >= at; i-- {
				sum = logAdd(sum, float64(a[i]))
				y[i] = T(sum)
			}
		}
	}
}

// logAdd is log(eˣ + eʸ).
func logAdd(x, y float64) float64 {
	hi, lo := math.Max(x, y), math.Min(x, y)
	return hi + math.Log1p(math.Exp(lo-hi))
}

// tailGradKernel: score j is in the sums of all i ≤ j, with share e^{s_j − y_i}.
func tailGradKernel[T tensor.Float](m int) tensor.Kernel {
	return func(c *tensor.Call) {
		a, b, y, dy := tensor.Slice[T](&c.In[0]), tensor.Slice[T](&c.In[1]), tensor.Slice[T](&c.In[2]), tensor.Slice[T](&c.In[3])
		da, db := tensor.Slice[T](&c.Out[0]), tensor.Slice[T](&c.Out[1])
		share := func(s T, at, to int) T {
			sum := 0.0
			for i := at; i < to; i++ {
				sum += float64(dy[i]) * math.Exp(float64(s)-float64(y[i]))
			}
			return T(sum)
		}
		for at := 0; at < len(a); at += m {
			for j := at; da != nil && j < at+m; j++ {
				da[j] = share(a[j], at, j+1)
			}
			if db != nil {
				clear(db[at : at+m])
				db[at+m-1] = share(b[at+m-1], at, at+m)
			}
		}
	}
}
