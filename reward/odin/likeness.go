package odin

import (
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// Likeness is |cos| of the angle between the two rows of w (2,D): (1), 0 for rows at
// right angles.
func Likeness(w *tensor.Node) *tensor.Node {
	if w.Dims() != 2 || w.Shape()[0] != 2 {
		tensor.Fail("odin: Likeness: got %v, want two rows", w.Shape())
	}
	return tensor.Apply(tensor.Spec{
		Name:           "likeness",
		Out:            []tensor.Output{{Shape: tensor.Shape{1}, Dtype: w.Dtype()}},
		Differentiable: []bool{true},
		Gradient:       func(b *tensor.Backward) tensor.Nodes { return tensor.Nodes{turn(b.In[0], b.Grad[0])} },
		Kernel:         kernel(likenessKernel[float32], likenessKernel[float64]),
	}, w)[0]
}

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

// products are q·q, l·l and q·l of the two rows.
func products[T tensor.Float](w []T) (qq, ll, ql float64) {
	n := len(w) / 2
	for i := range n {
		q, l := float64(w[i]), float64(w[n+i])
		qq, ll, ql = qq+q*q, ll+l*l, ql+q*l
	}
	return qq, ll, ql
}

func likenessKernel[T tensor.Float](c *tensor.Call) {
	qq, ll, ql := products(tensor.Slice[T](&c.In[0]))
	y := tensor.Slice[T](&c.Out[0])
	y[0] = 0
	if qq > 0 && ll > 0 {
		y[0] = T(math.Abs(ql) / math.Sqrt(qq*ll))
	}
}

// turn is the gradient of Likeness: ∂|cos|/∂q = ±(l/(|q||l|) − cos·q/|q|²).
func turn(w, dy *tensor.Node) *tensor.Node {
	return tensor.Apply(tensor.Spec{
		Name:           "likeness.grad",
		Out:            []tensor.Output{{Shape: w.Shape().Clone(), Dtype: w.Dtype()}},
		Differentiable: make([]bool, 2),
		Kernel:         kernel(turnKernel[float32], turnKernel[float64]),
	}, w, dy)[0]
}

func turnKernel[T tensor.Float](c *tensor.Call) {
	w, dw := tensor.Slice[T](&c.In[0]), tensor.Slice[T](&c.Out[0])
	qq, ll, ql := products(w)
	clear(dw)
	if qq == 0 || ll == 0 || ql == 0 {
		return
	}
	n, g := len(w)/2, float64(tensor.Slice[T](&c.In[1])[0])*math.Copysign(1, ql)
	for i := range n {
		q, l := float64(w[i]), float64(w[n+i])
		dw[i] = T(g * (l/math.Sqrt(qq*ll) - ql/math.Sqrt(qq*ll)*q/qq))
		dw[n+i] = T(g * (q/math.Sqrt(qq*ll) - ql/math.Sqrt(qq*ll)*l/ll))
	}
}
