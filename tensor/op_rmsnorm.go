package tensor

import (
	"math"

	"github.com/posttrain/posttrain/internal/kernel"
)

// NormOptions control RMSNorm.
type NormOptions struct {
	Eps    float64 // added to the mean square
	Offset float64 // added to the weight: 1 for Gemma, which stores w − 1
}

// RMSNorm normalises by the root mean square (Zhang and Sennrich 2019,
// arXiv:1910.07467, eq. 4):
//
//	y = x / √(mean(x²) + Eps) · (Offset + w)
//
// With x (N, H·C) and w (C) each of the H groups of a row is normalised by
// itself: H = 1 is the norm of a layer, larger H the per-head norm of queries
// and keys. A nil w stands for no scale: a row is one group, Offset is unused.
func RMSNorm(x, w *Node, o NormOptions) *Node {
	n := newNorm("rmsnorm", x, w)
	ins := Nodes{x}
	if w != nil {
		ins = append(ins, w)
	}
	s := Spec{
		Name:           "rmsnorm",
		Out:            []Output{like(x, 0)},
		Differentiable: []bool{true, true}[:len(ins)],
		Kernel:         byFloat("rmsnorm", x, rmsNormKernel[float32](n, o), rmsNormKernel[float64](n, o)),
		Scratch:        normParams * n.width * floatSize(x),
	}
	s.Gradient = func(b *Backward) Nodes { return rmsNormGradient(b, n, o) }
	return Apply(s, ins...)[0]
}

func rmsNormGradient(b *Backward, n norm, o NormOptions) Nodes {
	x, dy := b.In[0], b.Grad[0]
	in, out := append(Nodes{dy}, b.In...), []Output{like(dy, 0)}
	if len(b.In) > 1 && b.Need[1] {
		out = append(out, gradientOf(b.In[1], x.Dtype()))
	}
	return Apply(Spec{
		Name:           "rmsnorm.grad",
		Out:            out,
		Differentiable: make([]bool, len(in)),
		Kernel:         byFloat("rmsnorm", x, rmsNormGradientKernel[float32](n, o), rmsNormGradientKernel[float64](n, o)),
		Scratch:        n.gradientScratch(len(out)-1) * floatSize(x),
	}, in...)
}

// rmsWeight is the weight of a call, input i, ready for the kernels: where
// there is none, a vector of zeros whose offset is 1.
type rmsWeight[T Float] struct {
	norm
	none   []T
	offset T
}

func newRMSWeight[T Float](n norm, o NormOptions) rmsWeight[T] {
	return rmsWeight[T]{n, make([]T, n.width), T(o.Offset)}
}

// of returns the prepared weight and its offset.
func (w *rmsWeight[T]) of(c *Call, i int) (weight []T, offset T) {
	if i >= len(c.In) {
		return w.none, 1
	}
	return param[T](c, w.norm, i, 0), w.offset
}

// rmsNormKernel has inputs x and w.
func rmsNormKernel[T Float](n norm, o NormOptions) Kernel {
	weight := newRMSWeight[T](n, o)
	body := func(c *Call, lo, hi, _ int) {
		x, y := Slice[T](&c.In[0]), Slice[T](&c.Out[0])
		w, offset := weight.of(c, 1)
		for at := lo * n.groups * n.width; at < hi*n.groups*n.width; at += n.width {
			kernel.RMSNormRow(y[at:at+n.width], x[at:at+n.width], w, o.Eps, offset)
		}
	}
	return func(c *Call) {
		prepareParam[T](c, n, 1, 0)
		c.Parallel(c.In[0].Rows(), n.grain(), body)
	}
}

// rmsNormGradientKernel has inputs dy, x and w and outputs dx, which may lie in
// the memory of dy, and dw. The statistics of a row are computed again: reading
// x once more from the cache is cheaper than keeping them.
func rmsNormGradientKernel[T Float](n norm, o NormOptions) Kernel {
	weight := newRMSWeight[T](n, o)
	block := func(c *Call, b int) {
		dy, x, dx := Slice[T](&c.In[0]), Slice[T](&c.In[1]), Slice[T](&c.Out[0])
		w, offset := weight.of(c, 2)
		spare := partial[T](c, n, normSpare, b)
		var dw []T
		if len(c.Out) > 1 && c.Out[1].Wanted() {
			dw = partial[T](c, n, normWeights, b)
			clear(dw)
		}
		step := n.groups * n.width
		for at := b * normBlock * step; at < min((b+1)*normBlock, c.In[0].Rows())*step; at += n.width {
			end := at + n.width
			rstd := T(1 / math.Sqrt(kernel.SumSquares(x[at:end])/float64(n.width)+o.Eps))
			to := spare
			if dx != nil {
				to = dx[at:end]
			}
			kernel.RMSNormRowBackward(to, dw, dy[at:end], x[at:end], w, rstd, offset)
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
		if len(c.Out) > 1 {
			addPartials[T](c, n, normWeights, 1, blocks)
		}
	}
}
