package tensor

import "slices"

// Split cuts the columns of x into parts, as fused projections need it. A row of x
// (N, groups·Σwidths) is groups times the parts one after another, and part i of
// the result is (N, groups·widths[i]): with one group [q|k|v] gives q, k and v,
// with a group a head [q₀ k₀ v₀ q₁ k₁ v₁ …] gives those of all heads together.
func Split(x *Node, groups int, widths ...int) Nodes {
	const name = "split"
	checkFloat(name, x)
	p := parts{groups: groups, widths: slices.Clone(widths)}
	if x.Dims() != 2 || groups < 1 || len(widths) == 0 || slices.Min(widths) < 1 || groups*p.width() != x.Shape()[1] {
		fail("%s: got shape %v, %d groups and widths %v, want (N, groups · sum of widths)", name, x.Shape(), groups, widths)
	}
	s := Spec{
		Name:           name,
		Differentiable: []bool{true},
		Kernel:         byFloat(name, x, splitKernel[float32](p), splitKernel[float64](p)),
	}
	for _, w := range widths {
		s.Out = append(s.Out, Output{Shape: Shape{x.Shape()[0], groups * w}, Dtype: x.Dtype(), Axis: 1})
	}
	s.Gradient = func(b *Backward) Nodes { return Nodes{join(b.Grad, p)} }
	return Apply(s, x)
}

// parts is how the columns of a matrix are cut.
type parts struct {
	groups int
	widths []int
}

// width is the number of columns of a group.
func (p parts) width() (sum int) {
	for _, w := range p.widths {
		sum += w
	}
	return sum
}

// join puts the gradients of parts together; those that are nil are zero.
func join(grads Nodes, p parts) *Node {
	var ins Nodes
	from := make([]int, len(grads)) // 1 + input of each part, 0 for none
	for i, g := range grads {
		if g != nil {
			ins = append(ins, g)
			from[i] = len(ins)
		}
	}
	dt := ins[0].Dtype()
	return Apply(Spec{
		Name:           "split.grad",
		Out:            []Output{{Shape: Shape{ins[0].Shape()[0], p.groups * p.width()}, Dtype: dt, Axis: 1}},
		Differentiable: make([]bool, len(ins)),
		Kernel:         byFloat("split", ins[0], joinKernel[float32](p, from), joinKernel[float64](p, from)),
	}, ins...)[0]
}

func splitKernel[T Float](p parts) Kernel {
	step := p.width()
	body := func(c *Call, lo, hi, _ int) {
		x, at := Slice[T](&c.In[0])[lo*step:hi*step], 0
		for i, w := range p.widths {
			if y := Slice[T](&c.Out[i]); y != nil {
				for g := lo; g < hi; g++ {
					copy(y[g*w:(g+1)*w], x[(g-lo)*step+at:])
				}
			}
			at += w
		}
	}
	return func(c *Call) { c.Parallel(c.In[0].Rows()*p.groups, max(1, elementGrain/step), body) }
}

func joinKernel[T Float](p parts, from []int) Kernel {
	step := p.width()
	body := func(c *Call, lo, hi, _ int) {
		dx, at := Slice[T](&c.Out[0])[lo*step:hi*step], 0
		for i, w := range p.widths {
			for g := lo; g < hi; g++ {
				to := dx[(g-lo)*step+at:][:w]
				if from[i] == 0 {
					clear(to)
					continue
				}
				copy(to, Slice[T](&c.In[from[i]-1])[g*w:])
			}
			at += w
		}
	}
	return func(c *Call) { c.Parallel(c.Out[0].Rows()*p.groups, max(1, elementGrain/step), body) }
}
