package tensor

import "github.com/posttrain/posttrain/internal/kernel"

// LayerNorm normalises each row of x (N, C) by mean and variance (Ba et al.
// 2016, arXiv:1607.06450, eq. 4; the variance with divisor C):
//
//	y = (x − mean(x)) / √(var(x) + eps) · w + b
//
// w and b have shape (C); b may be nil. With x (N, H·C) each group of C
// elements is normalised by itself.
func LayerNorm(x, w, b *Node, eps float64) *Node {
	if w == nil {
		fail("layernorm: the weight is nil")
	}
	n := newNorm("layernorm", x, w)
	ins := Nodes{x, w}
	if b != nil {
		checkWeight("layernorm", x, b)
		if !b.Shape().Eq(w.Shape()) {
			fail("layernorm: bias has shape %v, want that of the weight, %v", b.Shape(), w.Shape())
		}
		ins = append(ins, b)
	}
	s := Spec{
		Name:           "layernorm",
		Out:            []Output{like(x, 0)},
		Differentiable: []bool{true, true, true}[:len(ins)],
		Kernel:         byFloat("layernorm", x, layerNormKernel[float32](n, eps), layerNormKernel[float64](n, eps)),
		Scratch:        normParams * n.width * floatSize(x),
	}
	s.Gradient = func(b *Backward) Nodes {
		x, w, dy := b.In[0], b.In[1], b.Grad[0]
		out := []Output{like(dy, 0), gradientOf(w, x.Dtype()), gradientOf(w, x.Dtype())}
		return Apply(Spec{
			Name:           "layernorm.grad",
			Out:            out[:len(b.In)],
			Differentiable: make([]bool, 3),
			Kernel:         byFloat("layernorm", x, layerNormGradient[float32](n, eps), layerNormGradient[float64](n, eps)),
			Scratch:        n.gradientScratch(2) * floatSize(x),
		}, dy, x, w)
	}
	return Apply(s, ins...)[0]
}

// layerNormKernel has inputs x, w and b.
func layerNormKernel[T Float](n norm, eps float64) Kernel {
	body := func(c *Call, lo, hi, _ int) {
		x, y := Slice[T](&c.In[0]), Slice[T](&c.Out[0])
		w, b := param[T](c, n, 1, 0), param[T](c, n, 2, 1)
		for at := lo * n.groups * n.width; at < hi*n.groups*n.width; at += n.width {
			kernel.LayerNormRow(y[at:at+n.width], x[at:at+n.width], w, b, eps)
		}
	}
	return func(c *Call) {
		prepareParam[T](c, n, 1, 0)
		prepareParam[T](c, n, 2, 1)
		c.Parallel(c.In[0].Rows(), n.grain(), body)
	}
}

// layerNormGradient has inputs dy, x and w and outputs dx, which may lie in the
// memory of dy, dw and db. The statistics of a row are computed again.
func layerNormGradient[T Float](n norm, eps float64) Kernel {
	block := func(c *Call, b int) {
		dy, x, dx := Slice[T](&c.In[0]), Slice[T](&c.In[1]), Slice[T](&c.Out[0])
		w := param[T](c, n, 2, 0)
		spare, dw, db := partial[T](c, n, normSpare, b), partial[T](c, n, normWeights, b), partial[T](c, n, normBiases, b)
		clear(dw)
		clear(db)
		step := n.groups * n.width
		for at := b * normBlock * step; at < min((b+1)*normBlock, c.In[0].Rows())*step; at += n.width {
			end := at + n.width
			mean, rstd := kernel.LayerNormRow(spare, x[at:end], w, nil, eps)
			to := spare
			if dx != nil {
				to = dx[at:end]
			}
			kernel.LayerNormRowBackward(to, dw, db, dy[at:end], x[at:end], w, mean, rstd)
		}
	}
	body := func(c *Call, lo, hi, _ int) {
		for b := lo; b < hi; b++ {
			block(c, b)
		}
	}
	return func(c *Call) {
		prepareParam[T](c, n, 2, 0)
		blocks := n.blocks(c.In[0].Rows())
		c.Parallel(blocks, 1, body)
		addPartials[T](c, n, normWeights, 1, blocks)
		if len(c.Out) > 2 {
			addPartials[T](c, n, normBiases, 2, blocks)
		}
	}
}
