package tensor

// loraGradient makes one instruction for the gradients of x, a and b, because
// they share Scale·dy·b; those of w and bias are a linear layer's.
func loraGradient(b *Backward, l lora) Nodes {
	x, w, t, dy := b.In[0], b.In[1], b.Out[1], b.Grad[0]
	g := make(Nodes, len(b.In))
	if b.Need[0] || b.Need[2] || b.Need[3] {
		dt := x.Dtype()
		out := []Output{fresh(x, 1), gradientOf(b.In[2], dt), gradientOf(b.In[3], dt)}
		ns := Apply(Spec{
			Name:           "linear_lora.grad",
			Out:            out,
			Differentiable: make([]bool, 6),
			Kernel:         byFloat("linear_lora", x, loraGradientKernel[float32](l), loraGradientKernel[float64](l)),
			Scratch:        (l.lowRank() + l.dropped()) * floatSize(x),
		}, dy, x, t, w, b.In[2], b.In[3])
		g[0], g[2], g[3] = ns[0], ns[1], ns[2]
	}
	if b.Need[1] {
		g[1] = linearWeightGradient(dy, x, w, l.linear)
	}
	if len(b.In) > 4 && b.Need[4] {
		g[4] = columnSums(dy, b.In[4])
	}
	return g
}

// loraGradientKernel has inputs dy, x, t, w, a, b and outputs
//
//	dx = dy·w + drop(dt·a),  da = dtᵀ·drop(x),  db = Scale·dyᵀ·t
//
// with dt = Scale·dy·b.
func loraGradientKernel[T Float](l lora) Kernel {
	update := newLoRAInputGradient[T](l)
	drop := newLoRADropper[T](l, 1)
	return func(c *Call) {
		n := c.In[0].Rows()
		dy := Slice[T](&c.In[0])
		if db := Slice[T](&c.Out[2]); db != nil {
			p := product[T]{M: l.out, N: l.rank, K: n, A: dy, TransA: true, B: c.In[2], C: db, Alpha: l.scale, Add: c.Acc[2]}
			p.run(c)
		}
		dx, da := Slice[T](&c.Out[0]), Slice[T](&c.Out[1])
		if dx == nil && da == nil {
			return
		}
		dt := scratch[T](c, 0, n*l.rank)
		p := product[T]{M: n, N: l.rank, K: l.out, A: dy, B: c.In[5], C: dt, Alpha: l.scale}
		p.run(c)
		if dx != nil {
			p = product[T]{M: n, N: l.in, K: l.out, A: dy, B: c.In[3], TransB: l.transposed, C: dx}
			p.run(c)
		}
		if da != nil && n == 0 && !c.Acc[1] {
			clear(da)
		}
		for first := 0; first < n; first += l.block() {
			m := min(l.block(), n-first)
			low := dt[first*l.rank : (first+m)*l.rank]
			if da != nil {
				p = product[T]{M: l.rank, N: l.in, K: m, A: low, TransA: true, B: viewOfSlice(drop(c, first, m)), C: da, Add: c.Acc[1] || first > 0}
				p.run(c)
			}
			if dx != nil {
				update(c, first, m, low)
			}
		}
	}
}

// newLoRAInputGradient returns a function that adds drop(low·a) to some rows of
// dx.
func newLoRAInputGradient[T Float](l lora) func(c *Call, first, rows int, low []T) {
	body := func(c *Call, lo, hi, _ int) {
		at := c.State.(*rowBlock).first * l.in
		addDropped(l.drop, c.Random, Slice[T](&c.Out[0])[at+lo:at+hi], scratch[T](c, l.lowRank(), hi)[lo:], at+lo)
	}
	return func(c *Call, first, rows int, low []T) {
		p := product[T]{M: rows, N: l.in, K: l.rank, A: low, B: c.In[4]}
		if l.drop.p == 0 {
			p.C, p.Add = Slice[T](&c.Out[0])[first*l.in:], true
			p.run(c)
			return
		}
		p.C = scratch[T](c, l.lowRank(), rows*l.in)
		p.run(c)
		setRowBlock(c, first)
		c.Parallel(rows*l.in, drawGrain, body)
	}
}
