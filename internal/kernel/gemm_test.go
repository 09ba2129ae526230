package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// gemmTolerance bounds |got - want| by Σ|a·b|·|alpha| + |c|: float32 chains of
// at most 400 terms, added block by block.
const gemmTolerance = 2e-6

// eachLevel runs f once for every instruction level of this machine.
func eachLevel(t *testing.T, f func(t *testing.T)) {
	for _, name := range Levels() {
		t.Run(name, func(t *testing.T) {
			restore, err := SetLevel(name)
			require.NoError(t, err)
			defer restore()
			f(t)
		})
	}
}

func randoms(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// gemmCase describes a product; the operands are derived from it.
type gemmCase struct {
	m, n, k        int
	transA, transB bool
	kind           Kind16
	alpha          float32
	accumulate     bool
	pad            int // added to every leading dimension
}

func (c gemmCase) String() string {
	return fmt.Sprintf("%dx%dx%d/ta=%v/tb=%v/kind=%d/alpha=%v/acc=%v/pad=%d", c.m, c.n, c.k, c.transA, c.transB, c.kind, c.alpha, c.accumulate, c.pad)
}

const guardValue = 12345.5

// operands builds the product, with a guard in all memory that C must not
// touch.
func (c gemmCase) operands(seed uint64) Gemm {
	r := rand.New(rand.NewPCG(seed, 7))
	g := Gemm{M: c.m, N: c.n, K: c.k, TransA: c.transA, TransB: c.transB, BKind: c.kind, Alpha: c.alpha, Accumulate: c.accumulate}
	shape := func(rows, cols int, trans bool) (int, []float32) {
		if trans {
			rows, cols = cols, rows
		}
		x := randoms(r, max(rows, 1)*(cols+c.pad)+c.pad)
		return cols + c.pad, x[: max(rows-1, 0)*(cols+c.pad)+cols : max(rows-1, 0)*(cols+c.pad)+cols]
	}
	g.LDA, g.A = shape(c.m, c.k, c.transA)
	g.LDB, g.B = shape(c.k, c.n, c.transB)
	switch c.kind {
	case BF16:
		g.B16 = make([]uint16, len(g.B))
		F32ToBF16(g.B16, g.B)
		g.B = nil
	case F16:
		g.B16 = make([]uint16, len(g.B))
		F32ToF16(g.B16, g.B)
		g.B = nil
	}
	g.LDC = c.n + c.pad
	g.C = make([]float32, c.m*g.LDC)
	for i := range g.C {
		g.C[i] = guardValue
	}
	for i := range c.m {
		copy(g.C[i*g.LDC:], randoms(r, c.n))
	}
	return g
}

func (g *Gemm) clone() Gemm {
	h := *g
	h.C = append([]float32(nil), g.C...)
	return h
}

// checkGemm compares got, computed from the operands of in, with float64.
func checkGemm(t *testing.T, in, got *Gemm) {
	t.Helper()
	wide := func(x []float32, abs bool) []float64 {
		y := make([]float64, len(x))
		for i, v := range x {
			y[i] = float64(v)
			if abs {
				y[i] = math.Abs(y[i])
			}
		}
		return y
	}
	b := in.B
	if in.BKind != None {
		b = make([]float32, len(in.B16))
		for i, h := range in.B16 {
			b[i] = widen(h, in.BKind)
		}
	}
	run := func(abs bool) []float64 {
		g := Gemm64{M: in.M, N: in.N, K: in.K, A: wide(in.A, abs), LDA: in.LDA, TransA: in.TransA, B: wide(b, abs), LDB: in.LDB, TransB: in.TransB,
			C: wide(in.C, abs), LDC: in.LDC, Alpha: float64(in.Alpha), Accumulate: in.Accumulate}
		if abs {
			g.Alpha = math.Abs(g.Alpha)
		}
		g.Run()
		return g.C
	}
	want, size := run(false), run(true)
	for i, v := range got.C {
		if i%in.LDC >= in.N {
			require.Equalf(t, in.C[i], v, "guard at row %d column %d", i/in.LDC, i%in.LDC)
			continue
		}
		require.InDeltaf(t, want[i], float64(v), gemmTolerance*size[i]+1e-30, "row %d column %d", i/in.LDC, i%in.LDC)
	}
}

func gemmCases() []gemmCase {
	var cases []gemmCase
	sizes := [][3]int{{1, 1, 1}, {2, 3, 4}, {1, 7, 33}, {3, 5, 16}, {8, 67, 65}, {4, 32, 17}, {9, 31, 15}, {13, 33, 66}, {14, 32, 64}, {15, 16, 48}, {16, 64, 40},
		{28, 64, 385}, {29, 65, 770}, {33, 17, 9}, {6, 16, 8}, {7, 15, 1}, {100, 70, 30}, {45, 130, 400}}
	for i, s := range sizes {
		for v := range 4 {
			c := gemmCase{m: s[0], n: s[1], k: s[2], transA: v&1 != 0, transB: v&2 != 0, pad: (i + v) % 3 * 3}
			cases = append(cases, c)
			c.alpha, c.accumulate, c.kind = -0.37, true, Kind16(1+(i+v)%2)
			cases = append(cases, c)
			c.kind = None
			cases = append(cases, c)
		}
	}
	return append(cases,
		gemmCase{m: 20, n: 16, k: 900, transB: true},
		gemmCase{m: 16, n: 200, k: 500, transA: true, accumulate: true},
		gemmCase{m: 3, n: 40, k: 5000, transB: true, kind: BF16},
		gemmCase{m: 17, n: 40, k: 5000},
		gemmCase{m: 5, n: 6, k: 0}, gemmCase{m: 5, n: 6, k: 0, accumulate: true}, gemmCase{m: 0, n: 6, k: 3}, gemmCase{m: 5, n: 0, k: 3})
}

func TestGemmAgainstFloat64(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		s := NewScratch(1)
		for i, c := range gemmCases() {
			t.Run(c.String(), func(t *testing.T) {
				in := c.operands(uint64(i))
				got := in.clone()
				got.RunSerial(s, 0)
				checkGemm(t, &in, &got)
			})
		}
	})
}

// TestGemmWorkers: the same bits with one worker and with several, and from
// RunSerial.
func TestGemmWorkers(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		pool := NewPool(3)
		defer pool.Close()
		s := NewScratch(3)
		for _, c := range []gemmCase{{m: 130, n: 200, k: 500, transB: true}, {m: 200, n: 90, k: 300}, {m: 70, n: 300, k: 400, transA: true, accumulate: true, alpha: 0.3},
			{m: 2, n: 3000, k: 400, transB: true, kind: F16}, {m: 2000, n: 16, k: 100, transB: true}, {m: 16, n: 1600, k: 100, transA: true}} {
			in := c.operands(1)
			one, many := in.clone(), in.clone()
			one.RunSerial(s, 2)
			many.Run(pool, s)
			assert.Equal(t, one.C, many.C, c.String())
			checkGemm(t, &in, &many)
		}
	})
}

// TestGemmLevels: avx2 and avx512 give the same bits.
func TestGemmLevels(t *testing.T) {
	if len(Levels()) < 3 {
		t.Skip("needs avx512")
	}
	s := NewScratch(1)
	for i, c := range gemmCases() {
		in := c.operands(uint64(i))
		var c2 [2][]float32
		for l, name := range []string{"avx2", "avx512"} {
			restore, err := SetLevel(name)
			require.NoError(t, err)
			got := in.clone()
			got.RunSerial(s, 0)
			c2[l] = got.C
			restore()
		}
		assert.Equal(t, c2[0], c2[1], c.String())
	}
}

// TestGemmSuperBlocks: products whose packed operands exceed the buffer give
// the bits of the products of their halves.
func TestGemmSuperBlocks(t *testing.T) {
	if Level() == "generic" {
		t.Skip("slow without assembly")
	}
	s := NewScratch(1)
	for _, c := range []gemmCase{{m: 1100, n: 100, k: 4608}, {m: 100, n: 1100, k: 4700, transB: true, accumulate: true}, {m: 1100, n: 1000, k: 4500, transA: true, transB: true, kind: BF16}} {
		in := c.operands(1)
		require.Greater(t, max(c.m, c.n)*kBlock(c.k)*(superK/kBlock(c.k)), packFloats, "the case must be large enough")
		whole, halves := in.clone(), in.clone()
		whole.RunSerial(s, 0)
		cut := c.m / 2
		for _, rows := range []blockSpan{{0, cut}, {cut, c.m}} {
			for _, cols := range []blockSpan{{0, 50}, {50, c.n}} {
				h := halves
				h.M, h.N = rows.len(), cols.len()
				h.C = halves.C[rows.lo*h.LDC+cols.lo:]
				aRow, _ := strides(h.LDA, h.TransA)
				_, bCol := strides(h.LDB, h.TransB)
				h.A = halves.A[rows.lo*aRow:]
				if h.BKind == None {
					h.B = halves.B[cols.lo*bCol:]
				} else {
					h.B16 = halves.B16[cols.lo*bCol:]
				}
				h.RunSerial(s, 0)
			}
		}
		require.True(t, slices.Equal(whole.C, halves.C), c.String())
	}
}

// TestGemmInsideTasks: workers compute products of their own at the same time.
func TestGemmInsideTasks(t *testing.T) {
	pool := NewPool(3)
	defer pool.Close()
	s := NewScratch(3)
	in := gemmCase{m: 40, n: 70, k: 90, transB: true}.operands(1)
	want := in.clone()
	want.RunSerial(s, 0)
	results := make([]Gemm, 30)
	for i := range results {
		results[i] = in.clone()
	}
	pool.Run(taskFunc(func(chunk, worker int) { results[chunk].RunSerial(s, worker) }), len(results))
	for i := range results {
		assert.Equal(t, want.C, results[i].C)
	}
}

func TestGemmRefusesShortSlices(t *testing.T) {
	good := gemmCase{m: 4, n: 5, k: 6}.operands(1)
	for name, spoil := range map[string]func(g *Gemm){
		"A":   func(g *Gemm) { g.A = g.A[1:] },
		"B":   func(g *Gemm) { g.B = g.B[1:] },
		"C":   func(g *Gemm) { g.C = g.C[1:] },
		"LDA": func(g *Gemm) { g.LDA = 5 },
		"LDB": func(g *Gemm) { g.LDB = 4 },
		"M":   func(g *Gemm) { g.M = -1 },
		"B16": func(g *Gemm) { g.BKind = BF16 },
	} {
		g := good.clone()
		spoil(&g)
		assert.Panics(t, func() { g.RunSerial(NewScratch(1), 0) }, name)
	}
}

func TestGemmAllocatesNothing(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	s := NewScratch(2)
	eachLevel(t, func(t *testing.T) {
		for _, c := range []gemmCase{{m: 64, n: 96, k: 128, transB: true}, {m: 1, n: 512, k: 2048, transB: true, kind: BF16}, {m: 64, n: 16, k: 128}} {
			g := c.operands(1)
			assert.Zero(t, testing.AllocsPerRun(10, func() { g.Run(pool, s); g.RunSerial(s, 1) }), c.String())
		}
	})
}
