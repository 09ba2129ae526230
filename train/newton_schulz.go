package train

import (
	"math"

	"github.com/posttrain/posttrain/internal/kernel"
)

// Coefficients of the Newton-Schulz iteration: Jordan et al. 2024, chosen so
// that five steps bring every singular value near 1, not to 1.
const (
	schulzA = 3.4445
	schulzB = -4.775
	schulzC = 2.0315
	// schulzFloor is the least norm that a matrix is divided by.
	schulzFloor = 1e-7
)

// schulz is room for one iteration, x ← a·x + (b·s + c·s²)·x with s = x·xᵀ, on a
// wide matrix [r,c] with r ≤ c; tall ones are worked on transposed.
type schulz[T kernel.Float] struct {
	x, next []T // [r,c]
	s, poly []T // [r,r]

	scratch *kernel.Scratch // for float32
	worker  int
	gemm32  kernel.Gemm
	gemm64  kernel.Gemm64
}

func newSchulz[T kernel.Float](size, side int) schulz[T] {
	return schulz[T]{x: make([]T, size), next: make([]T, size), s: make([]T, side*side), poly: make([]T, side*side)}
}

// place is where element i of a matrix [rows,cols] lies in x.
func (w *schulz[T]) place(i, rows, cols int) int {
	if rows <= cols {
		return i
	}
	return i%cols*rows + i/cols
}

// load sets element i of a matrix [rows,cols].
func (w *schulz[T]) load(i, rows, cols int, v T) { w.x[w.place(i, rows, cols)] = v }

// orthogonalise replaces x [r,c].
func (w *schulz[T]) orthogonalise(r, c, steps int) {
	x, next, s, poly := w.x[:r*c], w.next[:r*c], w.s[:r*r], w.poly[:r*r]
	norm := max(schulzFloor, math.Sqrt(kernel.SumSquares(x)))
	for i, v := range x {
		x[i] = T(float64(v) / norm)
	}
	for range steps {
		w.product([3]int{r, r, c}, inX, inX, inS)
		w.product([3]int{r, r, r}, inS, inS, inPoly)
		for i, v := range s {
			poly[i] = T(schulzB*float64(v) + schulzC*float64(poly[i]))
		}
		w.product([3]int{r, c, r}, inPoly, inX, inNext)
		for i, v := range x {
			x[i] = T(schulzA*float64(v) + float64(next[i]))
		}
	}
}

// operand names a matrix of schulz.
type operand int

const (
	inX operand = iota
	inNext
	inS
	inPoly
)

func (w *schulz[T]) at(o operand) []T { return [...][]T{w.x, w.next, w.s, w.poly}[o] }

// product is to = a·b, or x·xᵀ, with the sizes M, N, K of the kernels.
func (w *schulz[T]) product(size [3]int, a, b, to operand) {
	m, n, k := size[0], size[1], size[2]
	trans, ldb := a == inX, n
	if trans {
		ldb = k
	}
	switch w := any(w).(type) {
	case *schulz[float32]:
		w.gemm32 = kernel.Gemm{M: m, N: n, K: k, A: w.at(a), LDA: k, B: w.at(b), LDB: ldb, TransB: trans, C: w.at(to), LDC: n}
		w.gemm32.RunSerial(w.scratch, w.worker)
	case *schulz[float64]:
		w.gemm64 = kernel.Gemm64{M: m, N: n, K: k, A: w.at(a), LDA: k, B: w.at(b), LDB: ldb, TransB: trans, C: w.at(to), LDC: n}
		w.gemm64.Run()
	}
}
