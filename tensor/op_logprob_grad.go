package tensor

import "github.com/posttrain/posttrain/internal/kernel"

// logProbInputs are the indices of the inputs of a gradient op beyond those of
// the forward op; 0 for those it does not have.
type logProbInputs struct {
	lse, entropy, squares, expectation int
	grads                              [outArgMax]int
}

// logProbGradient differentiates whichever statistics influence the loss.
func logProbGradient(b *Backward, l logProbLayout) Nodes {
	var x logProbInputs
	in := append(Nodes(nil), b.In...)
	add := func(n *Node) int { in = append(in, n); return len(in) - 1 }
	cheap := b.Need[0] && !b.Need[1] && l.SoftCap == 0 && l.r == 0
	for i := range x.grads {
		if b.Grad[i] != nil {
			x.grads[i] = add(b.Grad[i])
			cheap = cheap && (i == outLogProb || i == outLogSumExp)
		}
	}
	h, head := b.In[0], b.In[1]
	dh := fresh(h, 0)
	if cheap {
		x.expectation = add(b.Out[outExpectation])
		g := Apply(Spec{
			Name:           "logprob.grad",
			Out:            []Output{dh},
			Differentiable: make([]bool, len(in)),
			Kernel:         byFloat("logprob", h, logProbCheapKernel[float32](l, x), logProbCheapKernel[float64](l, x)),
		}, in...)
		return Nodes{g[0], nil, nil, nil}
	}
	x.lse = add(b.Out[outLogSumExp])
	if x.grads[outEntropy] > 0 {
		x.entropy = add(b.Out[outEntropy])
	}
	if x.grads[outSumSquares] > 0 {
		x.squares = add(b.Out[outSumSquares])
	}
	out := []Output{dh, gradientOf(head, h.Dtype())}
	if l.r > 0 {
		out = append(out, fresh(b.In[logProbLow], 0), gradientOf(b.In[logProbLowHead], h.Dtype()))
	}
	gs := Apply(Spec{
		Name:           "logprob.grad.full",
		Out:            out,
		Differentiable: make([]bool, len(in)),
		Kernel:         byFloat("logprob", h, logProbFullKernel[float32](l, x), logProbFullKernel[float64](l, x)),
		Scratch:        l.m * (2*(l.d+l.r) + l.chunk) * floatSize(h),
	}, in...)
	return append(Nodes{gs[0], gs[1], nil, nil}, gs[2:]...)
}

// logProbCheapKernel computes dh = slope·(g·(head[target] − u) + gLSE·u) with u
// the expected row of head. Workers share the columns, so rows that are listed
// several times are added up in their order.
func logProbCheapKernel[T Float](l logProbLayout, x logProbInputs) Kernel {
	body := func(c *Call, lo, hi, _ int) {
		u, targets := Slice[T](&c.In[x.expectation]), Slice[int32](&c.In[3])
		dh := Slice[T](&c.Out[0])
		clearColumns(dh, l.d, lo, hi)
		var buf [columnGrain]T
		for i, row := range Slice[int32](&c.In[2]) {
			g, gLSE := logProbGrad[T](c, x, outLogProb, i), logProbGrad[T](c, x, outLogSumExp, i)
			to := dh[int(row)*l.d+lo : int(row)*l.d+hi]
			w := headPart(c, int(targets[i])*l.d+lo, buf[:hi-lo])
			kernel.Axpy(to, T(l.slope())*g, w)
			kernel.Axpy(to, T(l.slope())*(gLSE-g), u[i*l.d+lo:i*l.d+hi])
		}
	}
	return func(c *Call) {
		checkIDs(Slice[int32](&c.In[2]), c.Out[0].Rows())
		c.Parallel(l.d, columnGrain, body)
	}
}

// clearColumns clears columns lo to hi of a matrix of width d.
func clearColumns[T Float](x []T, d, lo, hi int) {
	for at := 0; at < len(x); at += d {
		clear(x[at+lo : at+hi])
	}
}

// headPart is the elements of head from at on; buf takes them where they are
// stored in 16 bits.
func headPart[T Float](c *Call, at int, buf []T) []T {
	switch v := &c.In[1]; v.Dtype {
	case BFloat16, Float16:
		widenSlice(asFloat32(buf), v, at)
		return buf
	default:
		return Slice[T](v)[at : at+len(buf)]
	}
}

// logProbGrad is the gradient of statistic k at row i; 0 where it has none.
func logProbGrad[T Float](c *Call, x logProbInputs, k, i int) T {
	if x.grads[k] == 0 {
		return 0
	}
	return Slice[T](&c.In[x.grads[k]])[i]
}

// logProbCoeff are the coefficients of a row's gradient by its logits l:
//
//	p·(linear + log·(l − lse) + square·p) + constant, plus target at the target
type logProbCoeff struct{ lse, linear, log, square, constant, target float64 }

// coeff works the coefficients of row i out.
func coeff[T Float](c *Call, l *logProbLayout, x logProbInputs, i int) logProbCoeff {
	g := func(k int) float64 { return float64(logProbGrad[T](c, x, k, i)) }
	q := logProbCoeff{lse: float64(Slice[T](&c.In[x.lse])[i]), target: g(outLogProb), log: -g(outEntropy), square: 2 * g(outSumSquares)}
	q.linear = g(outLogSumExp) - g(outLogProb) - float64(l.v)*g(outSumLogProb)
	q.constant = g(outSumLogProb) + g(outMeanLogit)/float64(l.v)
	if x.entropy > 0 {
		q.linear -= g(outEntropy) * float64(Slice[T](&c.In[x.entropy])[i])
	}
	if x.squares > 0 {
		q.linear -= q.square * float64(Slice[T](&c.In[x.squares])[i])
	}
	return q
}

// logProbFullKernel computes the logits again, chunk after chunk, and turns them
// into their gradients. Outputs are dh and dhead, and with a low-rank update dlow
// and that of its head.
func logProbFullKernel[T Float](l logProbLayout, x logProbInputs) Kernel {
	chunks := newLogProbChunks[T](l)
	differentiate := func(c *Call, lo, hi, _ int) {
		s := c.State.(*logProbState)
		_, logits := logProbMemory[T](c, &l)
		targets := Slice[int32](&c.In[3])
		for i := lo; i < hi; i++ {
			q := coeff[T](c, &l, x, i)
			differentiateRow(&l, &q, logits[i*s.n:(i+1)*s.n], int(targets[i])-s.lo)
		}
	}
	return func(c *Call) {
		s, m := logProbStateOf(c), c.In[2].Rows()
		checkIDs(operand[int32](c, 3, m), l.v)
		chunks.gather(c)
		for s.lo = 0; s.lo < l.v; s.lo += l.chunk {
			s.n = min(l.chunk, l.v-s.lo)
			chunks.multiply(c, s)
			c.Parallel(m, max(1, elementGrain/s.n), differentiate)
			for i := range chunks.pairs {
				chunks.pairs[i].backward(c, s)
			}
		}
		for i := range chunks.pairs {
			chunks.pairs[i].scatter(c)
		}
	}
}

// differentiateRow turns what the product left in row into the gradient by it,
// up to the slope.
func differentiateRow[T Float](l *logProbLayout, q *logProbCoeff, row []T, target int) {
	if l.SoftCap == 0 && q.log == 0 && q.square == 0 && q.constant == 0 {
		kernel.ExpShift(row, row, T(q.lse))
		kernel.Scale(row, row, T(q.linear))
		if target >= 0 && target < len(row) {
			row[target] += T(q.target)
		}
		return
	}
	var buf [logProbBlock]T
	lse, linear, log, square, constant := T(q.lse), T(q.linear), T(q.log), T(q.square), T(q.constant)
	for at := 0; at < len(row); at += logProbBlock {
		part := row[at:min(at+logProbBlock, len(row))]
		p := buf[:len(part)]
		height := T(1)
		if l.SoftCap > 0 {
			kernel.Tanh(part, part)
			height = T(l.height())
		}
		kernel.Scale(p, part, height)
		kernel.ExpShift(p, p, lse)
		for j, y := range part {
			d := p[j]*(linear+log*(y*height-lse)+square*p[j]) + constant
			if at+j == target {
				d += T(q.target)
			}
			if l.SoftCap > 0 {
				d *= 1 - y*y
			}
			part[j] = d
		}
	}
}
