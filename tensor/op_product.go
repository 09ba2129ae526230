package tensor

import (
	"unsafe"

	"github.com/posttrain/posttrain/internal/kernel"
)

// product is C = Alpha·op(A)·op(B), or C += … where Add is set, with op(A)
// (M, K) and op(B) (K, N), all contiguous.
type product[T Float] struct {
	M, N, K        int
	A              []T
	B              View // may be stored in 16 bits beside float32
	C              []T
	TransA, TransB bool
	Alpha          float64 // 0 means 1
	Add            bool
}

func (p *product[T]) run(c *Call) {
	lda, ldb := p.K, p.N
	if p.TransA {
		lda = p.M
	}
	if p.TransB {
		ldb = p.K
	}
	if p.B.Dtype == Float64 {
		g := kernel.Gemm64{M: p.M, N: p.N, K: p.K, A: asFloat64(p.A), LDA: lda, TransA: p.TransA,
			B: Slice[float64](&p.B), LDB: ldb, TransB: p.TransB, C: asFloat64(p.C), LDC: p.N, Alpha: p.Alpha, Accumulate: p.Add}
		g.Run()
		return
	}
	g := c.NewGemm()
	g.M, g.N, g.K = p.M, p.N, p.K
	g.A, g.LDA, g.TransA = asFloat32(p.A), lda, p.TransA
	g.C, g.LDC = asFloat32(p.C), p.N
	g.LDB, g.TransB = ldb, p.TransB
	switch p.B.Dtype {
	case BFloat16:
		g.B16, g.BKind = bits(Slice[BF16](&p.B)), kernel.BF16
	case Float16:
		g.B16, g.BKind = bits(Slice[F16](&p.B)), kernel.F16
	default:
		g.B = Slice[float32](&p.B)
	}
	g.Alpha, g.Accumulate = float32(p.Alpha), p.Add
	c.Multiply(g)
}

// viewOfSlice makes working memory an operand.
func viewOfSlice[T Float](s []T) View {
	return View{Ptr: unsafe.Pointer(unsafe.SliceData(s)), Len: len(s), Dtype: dtypeOf[T]()}
}

// asFloat64 is s itself.
func asFloat64[T Float](s []T) []float64 {
	return unsafe.Slice((*float64)(unsafe.Pointer(unsafe.SliceData(s))), len(s))
}
