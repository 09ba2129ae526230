package tensor

import "github.com/posttrain/posttrain/internal/kernel"

// columnSums is the gradient of a bias of the shape of like: the sum of the
// rows of dy (N, M).
func columnSums(dy, like *Node) *Node {
	_, m := rowWidth(dy.Shape())
	return Apply(Spec{
		Name:           "linear.grad_bias",
		Out:            []Output{gradientOf(like, dy.Dtype())},
		Differentiable: []bool{false},
		Kernel:         byFloat("linear", dy, columnSumsKernel[float32](), columnSumsKernel[float64]()),
		Scratch:        m * floatSize(dy),
	}, dy)[0]
}

const (
	columnGrain = 256 // columns that one worker adds up
	columnBlock = 64  // rows added up before they are added to the total
)

// columnSumsKernel adds rows in blocks, so that rounding errors grow with the
// number of blocks, not of rows.
func columnSumsKernel[T Float]() Kernel {
	body := func(c *Call, lo, hi, _ int) {
		dy, m, rows := Slice[T](&c.In[0]), c.In[0].Cols(), c.In[0].Rows()
		total, block := Slice[T](&c.Out[0])[lo:hi], scratch[T](c, lo, hi-lo)
		if !c.Acc[0] {
			clear(total)
		}
		for first := 0; first < rows; first += columnBlock {
			clear(block)
			for r := first; r < min(first+columnBlock, rows); r++ {
				kernel.Add(block, block, dy[r*m+lo:r*m+hi])
			}
			kernel.Add(total, total, block)
		}
	}
	return func(c *Call) { c.Parallel(c.Out[0].Len, columnGrain, body) }
}
