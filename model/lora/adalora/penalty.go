package adalora

import (
	"github.com/posttrain/posttrain/internal/kernel"
	"github.com/posttrain/posttrain/tensor"
)

// penalise adds the gradient of γ·R to the accumulators and returns R, eq. 4 of the
// paper summed over the layers:
//
//	R = ‖BᵀB − I‖²_F + ‖A·Aᵀ − I‖²_F
func (s *Allocator) penalise() (float64, error) {
	sum := 0.0
	for _, l := range s.layers {
		rank := l.e.param.Len()
		for _, side := range []struct {
			p       *tensor.Param
			columns bool // the vectors are columns
		}{{l.update.A, false}, {l.update.B, true}} {
			x, _, err := values(side.p)
			if err != nil {
				return 0, err
			}
			r, grad := orthogonality(x, rank, side.columns)
			sum += r
			add(side.p, s.budget.Orthogonality, grad)
		}
	}
	return sum, nil
}

// orthogonality is ‖X·Xᵀ − I‖² and its gradient 4(X·Xᵀ − I)·X for X (r, n), or for
// its transpose (n, r).
func orthogonality(x []float64, r int, columns bool) (float64, []float64) {
	n := len(x) / r
	stride := n
	if columns {
		stride = r
	}
	gram := make([]float64, r*r)
	g := kernel.Gemm64{M: r, N: r, K: n, A: x, LDA: stride, TransA: columns, B: x, LDB: stride, TransB: !columns, C: gram, LDC: r, Alpha: 1}
	g.Run()
	sum := 0.0
	for i := range gram {
		if i%(r+1) == 0 {
			gram[i]--
		}
		sum += gram[i] * gram[i]
	}
	grad := make([]float64, len(x))
	h := kernel.Gemm64{M: r, N: n, K: r, A: gram, LDA: r, B: x, LDB: stride, C: grad, LDC: stride, Alpha: 4}
	if columns { // X·(…), as … is symmetric
		h = kernel.Gemm64{M: n, N: r, K: r, A: x, LDA: stride, B: gram, LDB: r, C: grad, LDC: stride, Alpha: 4}
	}
	h.Run()
	return sum, grad
}

// add adds factor·x to the gradient of p.
func add(p *tensor.Param, factor float64, x []float64) {
	single, double := p.Grad(), p.Grad64()
	for i := range single {
		single[i] += float32(factor * x[i])
	}
	for i := range double {
		double[i] += factor * x[i]
	}
}
