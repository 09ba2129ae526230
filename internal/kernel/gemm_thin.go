package kernel

// thinRows is the largest M that takes the thin path.
const thinRows = 8

// thinGemm computes a product with few rows of A (tokens being decoded) and B
// stored as W[N,K]: each row of W is read once, in place, at the speed of
// memory. Sums are taken in 16 lanes (index mod 16) of fused multiply-adds,
// folded in halves.
type thinGemm struct {
	g   Gemm
	isa level
}

const (
	thinLanes = 16
	// thinGrain is the number of weights a chunk reads.
	thinGrain = 64 << 10
)

func (t *thinGemm) run(g *Gemm, p *Pool, worker int) {
	t.g, t.isa = *g, currentLevel()
	share(p, t, ceilDiv(g.N, t.rowsPerChunk()), worker)
	t.g = Gemm{}
}

// rowsPerChunk is a multiple of 4, the rows of W the assembly takes at once.
func (t *thinGemm) rowsPerChunk() int { return ceilDiv(max(thinGrain/t.g.K, 1), 4) * 4 }

// Do implements Task.
func (t *thinGemm) Do(chunk, _ int) {
	step := t.rowsPerChunk()
	lo, hi := chunk*step, min((chunk+1)*step, t.g.N)
	if t.isa.thin(t, lo, hi) {
		return
	}
	for j := lo; j < hi; j++ {
		for i := range t.g.M {
			t.store(i, j, t.dot(i, j))
		}
	}
}

func (t *thinGemm) store(i, j int, sum float32) {
	c := &t.g.C[i*t.g.LDC+j]
	v := float32(t.g.alpha() * sum)
	if t.g.Accumulate {
		v += *c
	}
	*c = v
}

// dot is row i of A times row j of W.
func (t *thinGemm) dot(i, j int) float32 {
	a := t.g.A[i*t.g.LDA:][:t.g.K]
	var lane [thinLanes]float32
	if t.g.BKind == None {
		for k, w := range t.g.B[j*t.g.LDB:][:t.g.K] {
			lane[k%thinLanes] += float32(a[k] * w)
		}
	} else {
		for k, w := range t.g.B16[j*t.g.LDB:][:t.g.K] {
			lane[k%thinLanes] += float32(a[k] * widen(w, t.g.BKind))
		}
	}
	for h := thinLanes / 2; h > 0; h /= 2 {
		for l := range h {
			lane[l] += lane[l+h]
		}
	}
	return lane[0]
}
