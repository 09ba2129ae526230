package kernel

import "fmt"

// Kind16 says how Gemm.B16 stores the operand B.
type Kind16 uint8

// The storage formats of B.
const (
	None Kind16 = iota // float32, in Gemm.B
	BF16               // bfloat16, in Gemm.B16
	F16                // IEEE half precision, in Gemm.B16
)

// Gemm is a matrix product of float32 matrices stored by rows,
//
//	C = Alpha·op(A)·op(B)  or, with Accumulate,  C += Alpha·op(A)·op(B)
//
// with op(A) [M,K], op(B) [K,N] and C [M,N]. The leading dimensions count
// elements from one stored row to the next. C must not overlap A or B.
//
// Numeric contract: with K split into ⌈K/384⌉ blocks of equal length (rounded
// up to a multiple of 8), each element is the sum of one chain of
// fused multiply-adds per block, times Alpha, added block after block. The
// chain does not depend on M, N, strides, the number of workers or, between
// avx2 and avx512, on the instruction level. The generic level rounds products
// before adding and differs in the last bits. Products with M ≤ 8, A not
// transposed and B transposed (decoding) sum in 16 lanes over all of K instead.
// Plain 0·∞ rules apply: nothing is skipped because an operand is zero.
type Gemm struct {
	M, N, K int
	A       []float32 // [M,K], or [K,M] when TransA
	LDA     int
	TransA  bool
	B       []float32 // [K,N], or [N,K] when TransB (weights); unused when BKind is not None
	B16     []uint16  // the same in 16 bits, when BKind says so
	BKind   Kind16
	LDB     int
	TransB  bool
	C       []float32 // [M,N]
	LDC     int
	// Alpha scales the product; 0 means 1.
	Alpha      float32
	Accumulate bool // add to C instead of overwriting it
}

// serialFlops is the work (2·M·N·K) below which a product is not worth
// sharing: about 10 µs.
const serialFlops = 1 << 20

// Run computes the product on the workers of p. It allocates only when s has
// never held buffers this large. It panics when a slice is too short for its
// shape; K = 0 gives a zero product.
func (g *Gemm) Run(p *Pool, s *Scratch) {
	if 2*g.M*g.N*g.K < serialFlops {
		p = nil
	}
	g.run(p, &s.spaces[0], 0)
}

// RunSerial computes the product on the calling worker only, in that worker's
// part of s. Workers may call it at the same time inside a task; the result
// has the same bits as Run's.
func (g *Gemm) RunSerial(s *Scratch, worker int) { g.run(nil, &s.spaces[1+worker], worker) }

func (g *Gemm) run(p *Pool, w *workspace, worker int) {
	g.check()
	switch {
	case g.M == 0 || g.N == 0:
	case g.K == 0:
		g.zero()
	case g.M <= thinRows && g.TransB && !g.TransA:
		w.thin.run(g, p, worker)
	default:
		w.blocked.run(g, p, worker)
	}
}

// zero is the product with K = 0.
func (g *Gemm) zero() {
	if g.Accumulate {
		return
	}
	for i := range g.M {
		clear(g.C[i*g.LDC : i*g.LDC+g.N])
	}
}

func (g *Gemm) alpha() float32 {
	if g.Alpha == 0 {
		return 1
	}
	return g.Alpha
}

// check panics unless every element the product touches lies inside its slice.
func (g *Gemm) check() {
	if g.M < 0 || g.N < 0 || g.K < 0 {
		panic(fmt.Sprintf("kernel: Gemm: shape, got M=%d N=%d K=%d, want none negative", g.M, g.N, g.K))
	}
	lenB := len(g.B)
	if g.BKind != None {
		lenB = len(g.B16)
	}
	checkMatrix("A", g.M, g.K, g.TransA, g.LDA, len(g.A))
	checkMatrix("B", g.K, g.N, g.TransB, g.LDB, lenB)
	checkMatrix("C", g.M, g.N, false, g.LDC, len(g.C))
}

func checkMatrix(name string, rows, cols int, trans bool, ld, n int) {
	if rows == 0 || cols == 0 {
		return
	}
	if trans {
		rows, cols = cols, rows
	}
	if ld < cols || n < (rows-1)*ld+cols {
		panic(fmt.Sprintf("kernel: Gemm: %s stored as [%d,%d], got leading dimension %d and %d elements", name, rows, cols, ld, n))
	}
}

// Scratch holds packing buffers. They grow when a product needs more and are
// kept for the next. One Run uses a Scratch at a time; RunSerial may be called
// by several workers at once, each with its own number.
type Scratch struct {
	spaces []workspace // [0] for Run, [1+w] for RunSerial on worker w
}

// NewScratch returns scratch memory for products on a pool of that many
// workers.
func NewScratch(workers int) *Scratch { return &Scratch{spaces: make([]workspace, 1+workers)} }

// workspace is the memory of one product at a time.
type workspace struct {
	blocked blockedGemm
	thin    thinGemm
	_       [64]byte
}
