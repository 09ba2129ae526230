package kernel

// Gemm64 is the float64 product for gradient checks: Gemm's fields, plain
// loops, one summation order.
type Gemm64 struct {
	M, N, K    int
	A          []float64 // [M,K], or [K,M] when TransA
	LDA        int
	TransA     bool
	B          []float64 // [K,N], or [N,K] when TransB
	LDB        int
	TransB     bool
	C          []float64 // [M,N]
	LDC        int
	Alpha      float64 // 0 means 1
	Accumulate bool
}

// Run computes the product on the calling goroutine.
func (g *Gemm64) Run() {
	checkMatrix("A", g.M, g.K, g.TransA, g.LDA, len(g.A))
	checkMatrix("B", g.K, g.N, g.TransB, g.LDB, len(g.B))
	checkMatrix("C", g.M, g.N, false, g.LDC, len(g.C))
	alpha := g.Alpha
	if alpha == 0 {
		alpha = 1
	}
	aRow, aK := strides(g.LDA, g.TransA)
	bK, bCol := strides(g.LDB, g.TransB)
	for i := range g.M {
		c := g.C[i*g.LDC : i*g.LDC+g.N]
		if !g.Accumulate {
			clear(c)
		}
		for j := range c {
			var sum float64
			for k := range g.K {
				sum += g.A[i*aRow+k*aK] * g.B[k*bK+j*bCol]
			}
			c[j] += alpha * sum
		}
	}
}

// strides returns the distance between rows and between columns of op(X).
func strides(ld int, trans bool) (row, col int) {
	if trans {
		return 1, ld
	}
	return ld, 1
}
