package tensor

import (
	"slices"

	"github.com/posttrain/posttrain/internal/kernel"
)

// EmbeddingOver is Embedding where row j of rows (K, D) stands in for the row of
// table whose number is indices[j]. Numbers must differ. Rows are of the type of
// the result: float32 beside a table of 16 bits. The gradient of the table does not
// reach the rows that are covered.
func EmbeddingOver(table, rows, ids *Node, indices []int, scale float64) *Node {
	const name = "embedding_over"
	under := Embedding(table, ids, scale)
	checkFloat(name, rows)
	d := table.Shape()[1]
	if rows.Dims() != 2 || rows.Shape()[0] != len(indices) || rows.Shape()[1] != d || rows.Dtype() != under.Dtype() {
		fail("%s: rows are %v %v, want %v (%d, %d)", name, rows.Dtype(), rows.Shape(), under.Dtype(), len(indices), d)
	}
	o := overlay{place: make(map[int32]int, len(indices)), scale: scale}
	for j, i := range indices {
		if i < 0 || i >= table.Shape()[0] {
			fail("%s: index %d is %d, want at least 0 and less than %d", name, j, i, table.Shape()[0])
		}
		o.place[int32(i)] = j
	}
	if len(o.place) < len(indices) {
		fail("%s: an index comes twice in %v", name, slices.Sorted(slices.Values(indices)))
	}
	s := Spec{
		Name:           name,
		Out:            []Output{like(under, 0)},
		Differentiable: []bool{true, true, false},
		Kernel:         byFloat(name, under, overlayKernel[float32](o), overlayKernel[float64](o)),
	}
	s.Gradient = func(b *Backward) Nodes {
		g := make(Nodes, 3)
		if b.Need[0] {
			g[0] = o.uncovered(b.Grad[0], b.In[2])
		}
		if b.Need[1] {
			g[1] = o.gradient(b.In[1], b.In[2], b.Grad[0])
		}
		return g
	}
	return Apply(s, under, rows, ids)[0]
}

// overlay says which ids are covered, by which row.
type overlay struct {
	place map[int32]int
	scale float64
}

// overlayKernel has inputs under (N, D), rows and ids.
func overlayKernel[T Float](o overlay) Kernel {
	return func(c *Call) {
		d := c.Out[0].Cols()
		y, rows := Slice[T](&c.Out[0]), Slice[T](&c.In[1])
		copy(y, Slice[T](&c.In[0]))
		for i, id := range Slice[int32](&c.In[2]) {
			if j, ok := o.place[id]; ok {
				kernel.Scale(y[i*d:(i+1)*d], rows[j*d:(j+1)*d], T(o.scale))
			}
		}
	}
}

// uncovered is dy where nothing is covered, else 0.
func (o overlay) uncovered(dy, ids *Node) *Node {
	const name = "embedding_over.grad_table"
	return Apply(Spec{
		Name:           name,
		Out:            []Output{fresh(dy, 0)},
		Differentiable: make([]bool, 2),
		Kernel:         byFloat(name, dy, uncoveredKernel[float32](o), uncoveredKernel[float64](o)),
	}, dy, ids)[0]
}

func uncoveredKernel[T Float](o overlay) Kernel {
	return func(c *Call) {
		d, y := c.Out[0].Cols(), Slice[T](&c.Out[0])
		copy(y, Slice[T](&c.In[0]))
		for i, id := range Slice[int32](&c.In[1]) {
			if _, ok := o.place[id]; ok {
				clear(y[i*d : (i+1)*d])
			}
		}
	}
}

// gradient is scale times the sum of the rows of dy at each covered id.
func (o overlay) gradient(rows, ids, dy *Node) *Node {
	const name = "embedding_over.grad_rows"
	return Apply(Spec{
		Name:           name,
		Out:            []Output{gradientOf(rows, dy.Dtype())},
		Differentiable: make([]bool, 2),
		Kernel:         byFloat(name, dy, overlayGradient[float32](o), overlayGradient[float64](o)),
	}, ids, dy)[0]
}

// overlayGradient has inputs ids and dy. Sums are in the order of the ids.
func overlayGradient[T Float](o overlay) Kernel {
	return func(c *Call) {
		d, out, dy := c.Out[0].Cols(), Slice[T](&c.Out[0]), Slice[T](&c.In[1])
		if !c.Acc[0] {
			clear(out)
		}
		for i, id := range Slice[int32](&c.In[0]) {
			if j, ok := o.place[id]; ok {
				kernel.Axpy(out[j*d:(j+1)*d], T(o.scale), dy[i*d:(i+1)*d])
			}
		}
	}
}
