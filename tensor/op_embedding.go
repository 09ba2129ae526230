package tensor

import (
	"fmt"

	"github.com/posttrain/posttrain/internal/kernel"
)

// Embedding looks rows of table (V, D) up by ids (N) and multiplies them by
// scale (√D for Gemma, else 1); the result is (N, D). A table of 16 bits gives
// float32. An id outside of [0, V) is an error of the run. The gradient of the
// table adds rows up in the order of the ids.
func Embedding(table, ids *Node, scale float64) *Node {
	const name = "embedding"
	if table == nil || table.Dims() != 2 {
		fail("%s: the table is %v, want shape (V, D)", name, table)
	}
	checkInts(name, "ids", ids)
	out := Output{Shape: Shape{ids.Shape()[0], table.Shape()[1]}, Dtype: table.Dtype(), Axis: 2}
	s := Spec{Name: name, Differentiable: []bool{true, false}}
	switch table.Dtype() {
	case Float32:
		s.Kernel = embeddingKernel(scale, scaledRow[float32])
	case Float64:
		s.Kernel = embeddingKernel(scale, scaledRow[float64])
	case BFloat16, Float16:
		s.Kernel, out.Dtype = embeddingKernel(scale, widenedRow), Float32
	default:
		fail("%s: table has element type %v, want a floating-point type", name, table.Dtype())
	}
	s.Out = []Output{out}
	s.Gradient = func(b *Backward) Nodes {
		return Nodes{scatter(name+".grad", b.In[0], b.In[1], b.Grad[0], scale), nil}
	}
	return Apply(s, table, ids)[0]
}

// Gather is the rows of x (N, …) that idx (M) names; the result is (M, …). An
// index outside of the live rows of x is an error of the run; rows may be named
// several times.
func Gather(x, idx *Node) *Node {
	const name = "gather"
	checkFloat(name, x)
	checkInts(name, "index", idx)
	if x.Dims() == 0 {
		fail("%s: input is a scalar, want at least one dimension", name)
	}
	shape := append(Shape{idx.Shape()[0]}, x.Shape()[1:]...)
	s := Spec{
		Name:           name,
		Out:            []Output{{Shape: shape, Dtype: x.Dtype(), Axis: 2}},
		Differentiable: []bool{true, false},
		Kernel:         byFloat(name, x, embeddingKernel(1, scaledRow[float32]), embeddingKernel(1, scaledRow[float64])),
	}
	s.Gradient = func(b *Backward) Nodes {
		return Nodes{scatter("gather.grad", b.In[0], b.In[1], b.Grad[0], 1), nil}
	}
	return Apply(s, x, idx)[0]
}

// embeddingKernel has inputs table and ids; row writes one row of the result.
func embeddingKernel(scale float64, row func(c *Call, to, from int, scale float64)) Kernel {
	body := func(c *Call, lo, hi, _ int) {
		for i, id := range Slice[int32](&c.In[1])[lo:hi] {
			row(c, lo+i, int(id), scale)
		}
	}
	return func(c *Call) {
		checkIDs(Slice[int32](&c.In[1]), c.In[0].Rows())
		c.Parallel(c.In[1].Rows(), max(1, elementGrain/max(1, c.In[0].Cols())), body)
	}
}

// checkIDs panics, which becomes the run's error, if an id is outside of
// [0, rows).
func checkIDs(ids []int32, rows int) {
	for i, id := range ids {
		if id < 0 || int(id) >= rows {
			panic(fmt.Sprintf("id %d at position %d, want at least 0 and less than %d", id, i, rows))
		}
	}
}

func scaledRow[T Float](c *Call, to, from int, scale float64) {
	d := c.In[0].Cols()
	dst, src := Slice[T](&c.Out[0])[to*d:(to+1)*d], Slice[T](&c.In[0])[from*d:(from+1)*d]
	if scale == 1 {
		copy(dst, src)
		return
	}
	kernel.Scale(dst, src, T(scale))
}

func widenedRow(c *Call, to, from int, scale float64) {
	d := c.In[0].Cols()
	dst := Slice[float32](&c.Out[0])[to*d : (to+1)*d]
	widenSlice(dst, &c.In[0], from*d)
	if scale != 1 {
		kernel.Scale(dst, dst, float32(scale))
	}
}

// scatter is the gradient of table: scale times the sum of the rows of dy at
// each id. It reads the table's number of live rows only.
func scatter(name string, table, ids, dy *Node, scale float64) *Node {
	out := gradientOf(table, dy.Dtype())
	out.Axis = axis(table, 0)
	return Apply(Spec{
		Name:           name,
		Out:            []Output{out},
		Differentiable: make([]bool, 3),
		Kernel:         byFloat(name, dy, scatterKernel[float32](scale), scatterKernel[float64](scale)),
	}, table, ids, dy)[0]
}

// scatterKernel has inputs table, ids and dy. Workers share the columns, so each
// sum is in the order of the ids.
func scatterKernel[T Float](scale float64) Kernel {
	s := T(scale)
	body := func(c *Call, lo, hi, _ int) {
		d := c.Out[0].Cols()
		dst, dy := Slice[T](&c.Out[0]), Slice[T](&c.In[2])
		for i, id := range Slice[int32](&c.In[1]) {
			kernel.Axpy(dst[int(id)*d+lo:int(id)*d+hi], s, dy[i*d+lo:i*d+hi])
		}
	}
	zero := func(c *Call, lo, hi, _ int) { clear(Slice[T](&c.Out[0])[lo:hi]) }
	return func(c *Call) {
		checkIDs(Slice[int32](&c.In[1]), c.Out[0].Rows())
		if !c.Acc[0] {
			c.Parallel(c.Out[0].Len, elementGrain, zero)
		}
		c.Parallel(c.Out[0].Cols(), columnGrain, body)
	}
}
