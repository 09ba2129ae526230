package tensor

import (
	"fmt"

	"github.com/posttrain/posttrain/internal/kernel"
)

// ReplaceRows is x (N, D) with another row where a token is virtual: row i becomes
// row ids[i]−first of rows (K, D) wherever ids[i] ≥ first, which must be less than
// first+K. Ids (N) are int32. The gradient of x does not see the rows that were
// replaced; that of rows adds up in the order of the ids.
func ReplaceRows(x, rows, ids *Node, first int) *Node {
	const name = "replace_rows"
	checkFloat(name, x)
	checkFloat(name, rows)
	checkInts(name, "ids", ids)
	if x.Dims() != 2 || rows.Dims() != 2 || rows.Shape()[1] != x.Shape()[1] || rows.Dtype() != x.Dtype() || ids.Shape()[0] != x.Shape()[0] {
		fail("%s: got x %v %v, rows %v %v and ids %v, want (N, D), (K, D) and (N)", name, x.Dtype(), x.Shape(), rows.Dtype(), rows.Shape(), ids.Shape())
	}
	o := virtualRows{first: int32(first)}
	s := Spec{
		Name:           name,
		Out:            []Output{like(x, 0)},
		Differentiable: []bool{true, true, false},
		Kernel:         byFloat(name, x, replaceKernel[float32](o), replaceKernel[float64](o)),
	}
	s.Gradient = func(b *Backward) Nodes {
		g, dy, ids := make(Nodes, 3), b.Grad[0], b.In[2]
		if b.Need[0] {
			g[0] = Apply(Spec{
				Name: name + ".grad_x", Out: []Output{fresh(dy, 0)}, Differentiable: make([]bool, 2),
				Kernel: byFloat(name, dy, keepKernel[float32](o), keepKernel[float64](o)),
			}, dy, ids)[0]
		}
		if b.Need[1] {
			g[1] = Apply(Spec{
				Name: name + ".grad_rows", Out: []Output{gradientOf(b.In[1], dy.Dtype())}, Differentiable: make([]bool, 2),
				Kernel: byFloat(name, dy, collectKernel[float32](o), collectKernel[float64](o)),
			}, dy, ids)[0]
		}
		return g
	}
	return Apply(s, x, rows, ids)[0]
}

// virtualRows says which ids are virtual.
type virtualRows struct{ first int32 }

// replaceKernel has inputs x, rows and ids.
func replaceKernel[T Float](o virtualRows) Kernel {
	return func(c *Call) {
		d := c.Out[0].Cols()
		x, y, rows, k := Slice[T](&c.In[0]), Slice[T](&c.Out[0]), Slice[T](&c.In[1]), int32(c.In[1].Rows())
		copy(y, x)
		for i, id := range Slice[int32](&c.In[2]) {
			j := id - o.first
			switch {
			case j < 0:
			case j >= k:
				panic(fmt.Sprintf("id %d at position %d, want at least 0 and less than %d", id, i, o.first+k))
			default:
				copy(y[i*d:(i+1)*d], rows[int(j)*d:])
			}
		}
	}
}

// keepKernel is dy where the token is real, else 0. Inputs are dy and ids.
func keepKernel[T Float](o virtualRows) Kernel {
	return func(c *Call) {
		d, dx := c.Out[0].Cols(), Slice[T](&c.Out[0])
		copy(dx, Slice[T](&c.In[0]))
		for i, id := range Slice[int32](&c.In[1]) {
			if id >= o.first {
				clear(dx[i*d : (i+1)*d])
			}
		}
	}
}

// collectKernel is the sum of the rows of dy at each virtual token. Inputs are dy
// and ids.
func collectKernel[T Float](o virtualRows) Kernel {
	return func(c *Call) {
		d, out, dy := c.Out[0].Cols(), Slice[T](&c.Out[0]), Slice[T](&c.In[0])
		if !c.Acc[0] {
			clear(out)
		}
		for i, id := range Slice[int32](&c.In[1]) {
			if j := int(id - o.first); j >= 0 {
				kernel.Axpy(out[j*d:(j+1)*d], 1, dy[i*d:(i+1)*d])
			}
		}
	}
}

// RealIDs is ids (N, int32) with 0 in the place of every id from first on, so that
// virtual tokens can be looked up in a table that does not know them.
func RealIDs(ids *Node, first int) *Node {
	const name = "real_ids"
	checkInts(name, "ids", ids)
	return Apply(Spec{
		Name:           name,
		Out:            []Output{fresh(ids, 0)},
		Differentiable: []bool{false},
		Kernel: func(c *Call) {
			y := Slice[int32](&c.Out[0])
			for i, id := range Slice[int32](&c.In[0]) {
				if y[i] = id; id >= int32(first) {
					y[i] = 0
				}
			}
		},
	}, ids)[0]
}
