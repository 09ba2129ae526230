package tensor

import "github.com/posttrain/posttrain/internal/kernel"

// ScaleColumns multiplies each row of x (N, M) by v (M), element by element, and
// adds bias (M), which may be nil and may be stored in 16 bits beside float32:
// y = x ⊙ v + bias. The backward pass keeps x and v.
func ScaleColumns(x, v, bias *Node) *Node {
	const name = "scale_columns"
	checkFloat(name, x)
	checkFloat(name, v)
	if x.Dims() != 2 || v.Dims() != 1 || v.Shape()[0] != x.Shape()[1] || v.Dtype() != x.Dtype() {
		fail("%s: got x %v %v and v %v %v, want (N, M) and (M) of one type", name, x.Dtype(), x.Shape(), v.Dtype(), v.Shape())
	}
	ins, m := Nodes{x, v}, x.Shape()[1]
	if bias != nil {
		checkWeight(name, x, bias)
		if bias.Dims() != 1 || bias.Shape()[0] != m {
			fail("%s: bias has shape %v, want (%d)", name, bias.Shape(), m)
		}
		ins = append(ins, bias)
	}
	s := Spec{
		Name:           name,
		Out:            []Output{like(x, 0)},
		Differentiable: []bool{true, true, true}[:len(ins)],
		Kernel:         byFloat(name, x, scaleColumnsKernel[float32](), scaleColumnsKernel[float64]()),
		Scratch:        m * floatSize(x),
	}
	s.Gradient = func(b *Backward) Nodes {
		g := make(Nodes, len(b.In))
		x, v, dy := b.In[0], b.In[1], b.Grad[0]
		if b.Need[0] {
			g[0] = ScaleColumns(dy, v, nil)
		}
		if b.Need[1] {
			g[1] = columnSums(Mul(dy, x), v)
		}
		if len(b.In) > 2 && b.Need[2] {
			g[2] = columnSums(dy, b.In[2])
		}
		return g
	}
	return Apply(s, ins...)[0]
}

// scaleColumnsKernel has inputs x, v and bias.
func scaleColumnsKernel[T Float]() Kernel {
	addBias := newBiasAdder[T](2, 0)
	body := func(c *Call, lo, hi, _ int) {
		m := c.Out[0].Cols()
		x, y, v := Slice[T](&c.In[0]), Slice[T](&c.Out[0]), Slice[T](&c.In[1])
		for r := lo; r < hi; r++ {
			kernel.Mul(y[r*m:(r+1)*m], x[r*m:(r+1)*m], v)
		}
	}
	return func(c *Call) {
		c.Parallel(c.Out[0].Rows(), max(1, elementGrain/max(1, c.Out[0].Cols())), body)
		addBias(c)
	}
}
