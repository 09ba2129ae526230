package tensor

// Sum adds all live elements of x up, in order and in float64; the result has
// shape (1).
func Sum(x *Node) *Node {
	s := Spec{
		Name:           "sum",
		Out:            []Output{total("sum", x)},
		Differentiable: []bool{true},
		Gradient:       func(b *Backward) Nodes { return Nodes{BroadcastRows(b.Grad[0], b.In[0])} },
		Kernel:         byFloat("sum", x, sumKernel[float32](), sumKernel[float64]()),
	}
	return Apply(s, x)[0]
}

// MaskedSum is Σ weights·x over vectors of one length, in order and in float64;
// the result has shape (1). Rows of weight 0 are skipped, not multiplied:
// whatever stands there, NaN included, does not count.
func MaskedSum(x, weights *Node) *Node {
	const name = "masked_sum"
	checkVector(name, "input", x, 0)
	checkSame(name, x, weights)
	s := Spec{
		Name:           name,
		Out:            []Output{total(name, x)},
		Differentiable: []bool{true, true},
		Kernel:         byFloat(name, x, sumKernel[float32](), sumKernel[float64]()),
	}
	s.Gradient = func(b *Backward) Nodes {
		g := make(Nodes, 2)
		for i := range g {
			if b.Need[i] {
				g[i] = scaleRows(b.In[1-i], b.Grad[0])
			}
		}
		return g
	}
	return Apply(s, x, weights)[0]
}

// WeightedMean is Σ weights·x / Σ weights over vectors of one length; the result
// has shape (1) and is 0 where the weights add up to 0. Rows of weight 0 are
// skipped as in MaskedSum.
func WeightedMean(x, weights *Node) *Node {
	const name = "weighted_mean"
	checkVector(name, "input", x, 0)
	checkSame(name, x, weights)
	s := Spec{
		Name:           name,
		Out:            []Output{total(name, x), total(name, x)},
		Differentiable: []bool{true, true},
		Kernel:         byFloat(name, x, weightedMeanKernel[float32](), weightedMeanKernel[float64]()),
	}
	s.Gradient = func(b *Backward) Nodes {
		mean, inverse := b.Out[0], b.Out[1]
		per := Mul(b.Grad[0], inverse)
		g := make(Nodes, 2)
		if b.Need[0] {
			g[0] = scaleRows(b.In[1], per)
		}
		if b.Need[1] {
			g[1] = Sub(scaleRows(b.In[0], per), BroadcastRows(Mul(per, mean), b.In[0]))
		}
		return g
	}
	return Apply(s, x, weights)[0]
}

// BroadcastRows repeats x, of shape (1), for every live element of like; the
// result has the shape of like.
func BroadcastRows(x, like *Node) *Node {
	const name = "broadcast_rows"
	checkVector(name, "input", x, 1)
	if like == nil {
		fail("%s: the node to be like is nil", name)
	}
	s := Spec{
		Name:           name,
		Out:            []Output{{Shape: like.Shape().Clone(), Dtype: x.Dtype(), Axis: axis(like, 1)}},
		Differentiable: []bool{true, false},
		Gradient:       func(b *Backward) Nodes { return Nodes{Sum(b.Grad[0]), nil} },
		Kernel:         byFloat(name, x, broadcastKernel[float32](), broadcastKernel[float64]()),
	}
	return Apply(s, x, like)[0]
}

// total describes a result of shape (1).
func total(name string, x *Node) Output {
	checkFloat(name, x)
	return Output{Shape: Shape{1}, Dtype: x.Dtype()}
}

// sumKernel has inputs x and weights, which may be missing.
func sumKernel[T Float]() Kernel {
	return func(c *Call) {
		x := Slice[T](&c.In[0])
		var w []T
		if len(c.In) > 1 {
			w = operand[T](c, 1, len(x))
		}
		Slice[T](&c.Out[0])[0] = T(weightedSum(x, w, 0, len(x)))
	}
}

// weightedMeanKernel has inputs x and weights and outputs the mean and the
// inverse of the weights' sum, 0 where that is 0.
func weightedMeanKernel[T Float]() Kernel {
	return func(c *Call) {
		x := Slice[T](&c.In[0])
		w := operand[T](c, 1, len(x))
		inverse := 0.0
		if sum := weightedSum(w, nil, 0, len(w)); sum != 0 {
			inverse = 1 / sum
		}
		if c.Out[0].Wanted() {
			Slice[T](&c.Out[0])[0] = T(weightedSum(x, w, 0, len(x)) * inverse)
		}
		if c.Out[1].Wanted() {
			Slice[T](&c.Out[1])[0] = T(inverse)
		}
	}
}

func broadcastKernel[T Float]() Kernel {
	body := func(c *Call, lo, hi, _ int) {
		y, v := Slice[T](&c.Out[0]), Slice[T](&c.In[0])[0]
		for i := lo; i < hi; i++ {
			y[i] = v
		}
	}
	return func(c *Call) { c.Parallel(c.Out[0].Len, elementGrain, body) }
}

// scaleRows is v·s[0] for s of shape (1).
func scaleRows(v, s *Node) *Node {
	return Apply(Spec{
		Name:           "scale_rows",
		Out:            []Output{like(v, 0)},
		Differentiable: []bool{false, false},
		Kernel:         byFloat("scale_rows", v, scaleRowsKernel[float32](), scaleRowsKernel[float64]()),
	}, v, s)[0]
}

func scaleRowsKernel[T Float]() Kernel {
	body := func(c *Call, lo, hi, _ int) {
		y, s := Slice[T](&c.Out[0]), Slice[T](&c.In[1])[0]
		for i, v := range operand[T](c, 0, len(y))[lo:hi] {
			y[lo+i] = v * s
		}
	}
	return func(c *Call) { c.Parallel(c.Out[0].Len, elementGrain, body) }
}
