package tensor

import "github.com/posttrain/posttrain/internal/kernel"

// Linear is x·wᵀ + bias for x (N, K), w (M, K) and bias (M) or nil; the result
// is (N, M). Weights may be stored in 16 bits beside float32 activations.
func Linear(x, w, bias *Node) *Node {
	return applyLinear(newLinear("linear", x, w, bias, false), x, w, bias)
}

// LinearTransposed is Linear for a weight that is stored the other way round: x·w
// + bias for w (K, M), as in GPT-2's Conv1D.
func LinearTransposed(x, w, bias *Node) *Node {
	return applyLinear(newLinear("linear", x, w, bias, true), x, w, bias)
}

func applyLinear(d linear, x, w, bias *Node) *Node {
	ins := Nodes{x, w}
	if bias != nil {
		ins = append(ins, bias)
	}
	s := Spec{
		Name:           "linear",
		Out:            []Output{d.output(x)},
		Differentiable: []bool{true, true, true}[:len(ins)],
		Kernel:         byFloat("linear", x, linearKernel[float32](d), linearKernel[float64](d)),
		Scratch:        d.out * floatSize(x),
	}
	s.Gradient = func(b *Backward) Nodes {
		g := make(Nodes, len(b.In))
		x, w, dy := b.In[0], b.In[1], b.Grad[0]
		if b.Need[0] {
			g[0] = linearInputGradient(dy, w, d)
		}
		if b.Need[1] {
			g[1] = linearWeightGradient(dy, x, w, d)
		}
		if len(b.In) > 2 && b.Need[2] {
			g[2] = columnSums(dy, b.In[2])
		}
		return g
	}
	return Apply(s, ins...)[0]
}

// linear is the geometry of a linear layer.
type linear struct {
	in, out    int
	transposed bool // the weight is (in, out)
}

func newLinear(name string, x, w, bias *Node, transposed bool) linear {
	checkFloat(name, x)
	checkWeight(name, x, w)
	xs, ws, want := x.Shape(), w.Shape(), "(M, K)"
	if x.Dims() != 2 || w.Dims() != 2 {
		fail("%s: got input %v and weight %v, want matrices", name, xs, ws)
	}
	d := linear{in: ws[1], out: ws[0], transposed: transposed}
	if transposed {
		d.in, d.out, want = ws[0], ws[1], "(K, M)"
	}
	if xs[1] != d.in {
		fail("%s: got input %v and weight %v, want (N, K) and %s", name, xs, ws, want)
	}
	if bias != nil {
		checkWeight(name, x, bias)
		if bias.Dims() != 1 || bias.Shape()[0] != d.out {
			fail("%s: bias has shape %v, want (%d)", name, bias.Shape(), d.out)
		}
	}
	return d
}

// output describes the result, whose rows are those of x, input 0.
func (d linear) output(x *Node) Output {
	return Output{Shape: Shape{x.Shape()[0], d.out}, Dtype: x.Dtype(), Axis: 1}
}

// linearKernel has inputs x, w and bias.
func linearKernel[T Float](d linear) Kernel {
	addBias := newBiasAdder[T](2, 0)
	return func(c *Call) {
		linearForward[T](c, d)
		addBias(c)
	}
}

// linearForward is output 0 = input 0 · (input 1)ᵀ, or without the transposition.
func linearForward[T Float](c *Call, d linear) {
	p := product[T]{M: c.In[0].Rows(), N: d.out, K: d.in, A: Slice[T](&c.In[0]), B: c.In[1], TransB: !d.transposed, C: Slice[T](&c.Out[0])}
	p.run(c)
}

// newBiasAdder returns a kernel that adds a bias, input i, to each row of
// output 0, if the call has such an input. Scratch memory from element off on
// has room to widen it.
func newBiasAdder[T Float](i, off int) Kernel {
	body := func(c *Call, lo, hi, _ int) {
		y, m := Slice[T](&c.Out[0]), c.Out[0].Cols()
		bias := Slice[T](&c.In[i])
		if c.In[i].Dtype != c.Out[0].Dtype {
			bias = scratch[T](c, off, m)
		}
		for r := lo; r < hi; r++ {
			row := y[r*m : (r+1)*m]
			kernel.Add(row, row, bias)
		}
	}
	return func(c *Call) {
		if i < len(c.In) {
			m := c.Out[0].Cols()
			widen(c, i, scratch[T](c, off, m))
			c.Parallel(c.Out[0].Rows(), max(1, elementGrain/m), body)
		}
	}
}

// linearInputGradient is dx = dy·w, or dy·wᵀ.
func linearInputGradient(dy, w *Node, d linear) *Node {
	return Apply(Spec{
		Name:           "linear.grad_input",
		Out:            []Output{{Shape: Shape{dy.Shape()[0], d.in}, Dtype: dy.Dtype(), Axis: 1}},
		Differentiable: []bool{false, false},
		Kernel:         byFloat("linear", dy, inputGradientKernel[float32](d), inputGradientKernel[float64](d)),
	}, dy, w)[0]
}

func inputGradientKernel[T Float](d linear) Kernel {
	return func(c *Call) {
		p := product[T]{M: c.In[0].Rows(), N: d.in, K: d.out, A: Slice[T](&c.In[0]), B: c.In[1], TransB: d.transposed, C: Slice[T](&c.Out[0])}
		p.run(c)
	}
}

// linearWeightGradient is dw = dyᵀ·x, or xᵀ·dy.
func linearWeightGradient(dy, x, w *Node, d linear) *Node {
	if d.transposed {
		dy, x, d = x, dy, linear{in: d.out, out: d.in}
	}
	return Apply(Spec{
		Name:           "linear.grad_weight",
		Out:            []Output{gradientOf(w, dy.Dtype())},
		Differentiable: []bool{false, false},
		Kernel:         byFloat("linear", dy, weightGradientKernel[float32](d), weightGradientKernel[float64](d)),
	}, dy, x)[0]
}

func weightGradientKernel[T Float](d linear) Kernel {
	return func(c *Call) {
		p := product[T]{M: d.out, N: d.in, K: c.In[0].Rows(), A: Slice[T](&c.In[0]), TransA: true, B: c.In[1], C: Slice[T](&c.Out[0]), Add: c.Acc[0]}
		p.run(c)
	}
}
