package tensor

import (
	"math"

	"github.com/posttrain/posttrain/internal/kernel"
)

// attentionCore computes attention for one block of rows of one head.
type attentionCore struct{ AttentionOptions }

// attentionBlock is such a block. Its context is the concatenation of pieces;
// row i sees places low[i·step] (0 where low is nil) to base + i·step.
type attentionBlock[T Float] struct {
	rows, base, step int
	low              []int32
	pieces           []attentionPiece
	q                []T // the first row of the block, at the head's columns
	k, v             []T // all rows; the head's columns begin at column
	column           int
	out              []T // nil where not wanted
	lse              []T // nil where not wanted
	ldq, ldk, ldo    int
	ldl              int
}

// high is the end of what row i sees.
func (w *attentionBlock[T]) high(i int) int { return w.base + i*w.step + 1 }

// start is the first place that any row sees.
func (w *attentionBlock[T]) start() int {
	if w.low == nil {
		return 0
	}
	return int(w.low[0]) // windows of later rows begin later
}

// attend computes the block. scores holds attentionRows rows of the context.
func attend[T Float](c *Call, o attentionCore, w *attentionBlock[T], scores []T, worker int) {
	from, to := w.start(), w.high(w.rows-1)
	width := to - from
	alpha := o.Scale
	if o.SoftCap > 0 {
		alpha /= o.SoftCap
	}
	for _, p := range w.pieces {
		lo, hi := max(p.at, from), min(p.at+p.n, to)
		if lo >= hi {
			continue
		}
		g := strided[T]{M: w.rows, N: hi - lo, K: o.HeadDim, A: w.q, LDA: w.ldq,
			B: w.k[(p.row+lo-p.at)*w.ldk+w.column:], LDB: w.ldk, TransB: true, C: scores[lo-from:], LDC: width, Alpha: alpha}
		g.run(c, worker)
	}
	var sums [attentionRows]T
	for i := range w.rows {
		low := from
		if w.low != nil {
			low = int(w.low[i*w.step])
		}
		sums[i] = softmaxRow(o, w, scores[i*width:(i+1)*width], i, low-from, w.high(i)-from)
	}
	if w.out == nil {
		return
	}
	first := true
	for _, p := range w.pieces {
		lo, hi := max(p.at, from), min(p.at+p.n, to)
		if lo >= hi {
			continue
		}
		g := strided[T]{M: w.rows, N: o.HeadDim, K: hi - lo, A: scores[lo-from:], LDA: width,
			B: w.v[(p.row+lo-p.at)*w.ldk+w.column:], LDB: w.ldk, C: w.out, LDC: w.ldo, Add: !first}
		g.run(c, worker)
		first = false
	}
	for i := range w.rows {
		out := w.out[i*w.ldo:][:o.HeadDim]
		kernel.Scale(out, out, 1/sums[i])
	}
}

// softmaxRow turns the scores of row i, of which places lo to hi are seen, into
// weights that add up to the result.
func softmaxRow[T Float](o attentionCore, w *attentionBlock[T], s []T, i, lo, hi int) T {
	seen := s[lo:hi]
	if o.SoftCap > 0 {
		kernel.Tanh(seen, seen)
		kernel.Scale(seen, seen, T(o.SoftCap))
	}
	largest := kernel.Max(seen)
	sum := kernel.ExpShiftSum(seen, seen, largest)
	clear(s[:lo])
	clear(s[hi:])
	if w.lse != nil {
		w.lse[i*w.ldl] = largest + T(math.Log(float64(sum)))
	}
	return sum
}

// strided is C = Alpha·A·B, or C += … where Add is set, computed by one worker
// on parts of larger matrices.
type strided[T Float] struct {
	M, N, K        int
	A, B, C        []T
	LDA, LDB, LDC  int
	TransA, TransB bool
	Alpha          float64
	Add            bool
}

func (p *strided[T]) run(c *Call, worker int) {
	var zero T
	if _, double := any(zero).(float64); double {
		g := kernel.Gemm64{M: p.M, N: p.N, K: p.K, A: asFloat64(p.A), LDA: p.LDA, TransA: p.TransA,
			B: asFloat64(p.B), LDB: p.LDB, TransB: p.TransB, C: asFloat64(p.C), LDC: p.LDC, Alpha: p.Alpha, Accumulate: p.Add}
		g.Run()
		return
	}
	g := kernel.Gemm{M: p.M, N: p.N, K: p.K, A: asFloat32(p.A), LDA: p.LDA, TransA: p.TransA,
		B: asFloat32(p.B), LDB: p.LDB, TransB: p.TransB, C: asFloat32(p.C), LDC: p.LDC, Alpha: float32(p.Alpha), Accumulate: p.Add}
	g.RunSerial(c.GEMM, worker)
}
