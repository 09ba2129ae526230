package tensor

import "github.com/posttrain/posttrain/internal/kernel"

// norm is what RMSNorm and LayerNorm share: x (rows, groups·width) is
// normalised in groups of width elements.
type norm struct{ rows, groups, width int }

// newNorm checks x and w (width), which may be nil: a row is then one group.
func newNorm(name string, x, w *Node) norm {
	checkFloat(name, x)
	rows, cols := rowWidth(x.Shape())
	n := norm{rows, 1, cols}
	if w == nil {
		return n
	}
	checkWeight(name, x, w)
	if s := w.Shape(); w.Dims() != 1 || cols%s[0] != 0 {
		fail("%s: weight has shape %v beside x of shape %v, want (C) with C a divisor of %d", name, s, x.Shape(), cols)
	}
	n.width = w.Shape()[0]
	n.groups = cols / n.width
	return n
}

// grain is the number of rows worth a piece of parallel work.
func (n norm) grain() int { return max(1, elementGrain/(n.groups*n.width)) }

// normBlock is the number of rows whose weight gradients are added up first.
// Blocks are then added in order, so results depend neither on the number of
// workers nor on the capacity of the batch.
const normBlock = 64

func (n norm) blocks(rows int) int { return (rows + normBlock - 1) / normBlock }

// Scratch memory in units of width elements: weight and bias where they have to
// be widened, then, for a gradient, one row of working memory for each block
// and one row of partial sums for each block and parameter.
const (
	normParams = 2

	normSpare   = 0
	normWeights = 1
	normBiases  = 2
)

// gradientScratch is the number of elements a gradient with sums for the given
// number of parameters needs.
func (n norm) gradientScratch(params int) int {
	return (normParams + n.blocks(n.rows)*(1+params)) * n.width
}

// partial is the row of working memory of one kind that belongs to a block.
func partial[T Float](c *Call, n norm, kind, block int) []T {
	at := normParams + kind*n.blocks(n.rows) + block
	return scratch[T](c, at*n.width, n.width)
}

// addPartials adds the blocks' sums up into output i.
func addPartials[T Float](c *Call, n norm, kind, i, blocks int) {
	dst := Slice[T](&c.Out[i])
	if dst == nil {
		return
	}
	if !c.Acc[i] {
		clear(dst)
	}
	if blocks == 0 {
		return
	}
	total := partial[T](c, n, kind, 0)
	for b := 1; b < blocks; b++ {
		kernel.Add(total, total, partial[T](c, n, kind, b))
	}
	kernel.Add(dst, dst, total)
}

// prepareParam widens parameter slot (0 weight, 1 bias), input i, if it is
// stored in 16 bits.
func prepareParam[T Float](c *Call, n norm, i, slot int) {
	if i < len(c.In) {
		widen(c, i, scratch[T](c, slot*n.width, n.width))
	}
}

// param is the prepared parameter; nil where the op has none.
func param[T Float](c *Call, n norm, i, slot int) []T {
	switch {
	case i >= len(c.In):
		return nil
	case c.In[i].Dtype == c.In[0].Dtype:
		return Slice[T](&c.In[i])
	}
	return scratch[T](c, slot*n.width, n.width)
}
