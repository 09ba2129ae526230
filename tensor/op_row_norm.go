package tensor

import "math"

// RowNormLoRA is the length of each row of w + Scale·b·a (M, K), for w (M, K), or
// (K, M) where o.Transposed is set, a (R, K) and b (M, R); the result is (M). It
// has no gradient: DoRA treats the length as a constant (Liu et al. 2024,
// arXiv:2402.09353, §4.3). Sums of squares are made in float64. The sum w + …
// exists for a few rows at a time.
func RowNormLoRA(w, a, b *Node, o LoRAOptions) *Node {
	const name = "row_norm_lora"
	checkFloat(name, a)
	checkSameType(name, a, b)
	checkWeight(name, a, w)
	if w.Dims() != 2 || a.Dims() != 2 || b.Dims() != 2 {
		fail("%s: got w %v, a %v and b %v, want matrices", name, w.Shape(), a.Shape(), b.Shape())
	}
	d := rowNorm{out: w.Shape()[0], in: w.Shape()[1], rank: a.Shape()[0], scale: o.Scale, transposed: o.Transposed}
	if o.Transposed {
		d.in, d.out = d.out, d.in
	}
	if as, bs := a.Shape(), b.Shape(); as[1] != d.in || bs[0] != d.out || bs[1] != d.rank {
		fail("%s: got a %v and b %v beside a weight %v, want (R, %d) and (%d, R)", name, as, bs, w.Shape(), d.in, d.out)
	}
	return Apply(Spec{
		Name:           name,
		Out:            []Output{{Shape: Shape{d.out}, Dtype: a.Dtype()}},
		Differentiable: make([]bool, 3),
		Kernel:         byFloat(name, a, rowNormKernel[float32](d), rowNormKernel[float64](d)),
		Scratch:        (rowNormBlock*d.in + rowNormBlock) * floatSize(a),
	}, w, a, b)[0]
}

// checkSameType refuses inputs that differ in element type.
func checkSameType(name string, x, y *Node) {
	checkFloat(name, y)
	if x.Dtype() != y.Dtype() {
		fail("%s: element types are %v and %v, want one", name, x.Dtype(), y.Dtype())
	}
}

// rowNormBlock is the number of rows that exist at a time.
const rowNormBlock = 64

// rowNorm is the geometry of RowNormLoRA.
type rowNorm struct {
	in, out, rank int
	scale         float64
	transposed    bool
}

// rowNormKernel has inputs w, a and b.
func rowNormKernel[T Float](d rowNorm) Kernel {
	return func(c *Call) {
		y, b := Slice[T](&c.Out[0]), Slice[T](&c.In[2])
		for first := 0; first < d.out; first += rowNormBlock {
			rows := min(rowNormBlock, d.out-first)
			sum := scratch[T](c, 0, rows*d.in)
			copyRows(c, d, sum, first)
			p := product[T]{M: rows, N: d.in, K: d.rank, A: b[first*d.rank : (first+rows)*d.rank], B: c.In[1], C: sum, Alpha: d.scale, Add: true}
			p.run(c)
			for i := range rows {
				square := 0.0
				for _, x := range sum[i*d.in : (i+1)*d.in] {
					square += float64(x) * float64(x)
				}
				y[first+i] = T(math.Sqrt(square))
			}
		}
	}
}

// copyRows sets dst to rows of w from number first on.
func copyRows[T Float](c *Call, d rowNorm, dst []T, first int) {
	if !d.transposed {
		copyWide(c, dst, first*d.in)
		return
	}
	rows := len(dst) / d.in
	line := scratch[T](c, rowNormBlock*d.in, rowNormBlock)
	for k := range d.in {
		copyWide(c, line[:rows], k*d.out+first)
		for i := range rows {
			dst[i*d.in+k] = line[i]
		}
	}
}

// copyWide sets dst to elements of input 0 from number at on.
func copyWide[T Float](c *Call, dst []T, at int) {
	switch v := &c.In[0]; v.Dtype {
	case BFloat16, Float16:
		widenSlice(asFloat32(dst), v, at)
	default:
		copy(dst, Slice[T](v)[at:at+len(dst)])
	}
}
