package tensor

import (
	"math"

	"github.com/posttrain/posttrain/internal/kernel"
)

// klState is kept between runs.
type klState struct {
	stats []klStats
	lo, n int // the chunk of the vocabulary being computed
}

// klStats are the sums of one row over the chunks done so far.
type klStats struct{ p, r klSide }

// klSide is Σ exp(l − largest), and Σ exp(l − largest)·(l − o) with o the logits
// of the other distribution.
type klSide struct{ largest, exps, weighted float64 }

func (s *klSide) lse() float64 { return s.largest + math.Log(s.exps) }

// klProducts computes both logits of the chunk that begins at token lo.
type klProducts[T Float] struct {
	klLayout
	gatherP, gatherR func(c *Call)
}

func newKLProducts[T Float](l klLayout) klProducts[T] {
	return klProducts[T]{l, gatherRows[T](0, klRows, 0, l.p.d), gatherRows[T](2, klRows, l.hiddenR(), l.r.d)}
}

// start prepares a call.
func (k *klProducts[T]) start(c *Call) *klState {
	s, ok := c.State.(*klState)
	if !ok {
		s = &klState{}
		c.State = s
	}
	k.gatherP(c)
	k.gatherR(c)
	return s
}

// run computes what precedes the soft caps.
func (k *klProducts[T]) run(c *Call, s *klState) {
	m := c.In[klRows].Rows()
	p := product[T]{M: m, N: s.n, K: k.p.d, A: scratch[T](c, 0, m*k.p.d), B: headChunk(&c.In[1], s.lo, s.n), TransB: true,
		C: scratch[T](c, k.logitsP(), m*s.n), Alpha: k.p.alpha()}
	p.run(c)
	r := product[T]{M: m, N: s.n, K: k.r.d, A: scratch[T](c, k.hiddenR(), m*k.r.d), B: headChunk(&c.In[3], s.lo, s.n), TransB: true,
		C: scratch[T](c, k.logitsR(), m*s.n), Alpha: k.r.alpha()}
	r.run(c)
}

// row is the logits of row i.
func (k *klProducts[T]) row(c *Call, s *klState, i int) (p, r []T) {
	return scratch[T](c, k.logitsP()+i*s.n, s.n), scratch[T](c, k.logitsR()+i*s.n, s.n)
}

// klKernel has inputs h, head, reference h, reference head and rows.
func klKernel[T Float](l klLayout) Kernel {
	k := newKLProducts[T](l)
	reduce := func(c *Call, lo, hi, _ int) {
		s := c.State.(*klState)
		for i := lo; i < hi; i++ {
			p, r := k.row(c, s, i)
			finishLogits(&k.p, p)
			finishLogits(&k.r, r)
			addSide(&s.stats[i].p, p, r)
			addSide(&s.stats[i].r, r, p)
		}
	}
	return func(c *Call) {
		s, m := k.start(c), c.In[klRows].Rows()
		for len(s.stats) < m {
			s.stats = append(s.stats, klStats{})
		}
		none := klSide{largest: math.Inf(-1)}
		for i := range s.stats[:m] {
			s.stats[i] = klStats{none, none}
		}
		for s.lo = 0; s.lo < k.p.v; s.lo += k.p.chunk {
			s.n = min(k.p.chunk, k.p.v-s.lo)
			k.run(c, s)
			c.Parallel(m, max(1, elementGrain/s.n), reduce)
		}
		for i := range s.stats[:m] {
			storeDivergences[T](c, &s.stats[i], i)
		}
	}
}

// addSide adds a chunk of logits l to the sums; o are those of the other
// distribution.
func addSide[T Float](s *klSide, l, o []T) {
	if largest := float64(kernel.Max(l)); !(largest <= s.largest) { // also when NaN came
		shrink := math.Exp(s.largest - largest)
		s.largest = largest
		s.exps *= shrink
		s.weighted *= shrink
	}
	var exps, less [logProbBlock]T
	for at := 0; at < len(l); at += logProbBlock {
		end := min(at+logProbBlock, len(l))
		e, d := exps[:end-at], less[:end-at]
		s.exps += float64(kernel.ExpShiftSum(e, l[at:end], T(s.largest)))
		copy(d, l[at:end])
		kernel.Axpy(d, -1, o[at:end])
		s.weighted += float64(kernel.Dot(e, d))
	}
}

// storeDivergences writes the results of row i.
func storeDivergences[T Float](c *Call, s *klStats, i int) {
	p, r := s.p.lse(), s.r.lse()
	for k, x := range [...]float64{
		outPolicyToReference: s.p.weighted/s.p.exps - p + r,
		outReferenceToPolicy: s.r.weighted/s.r.exps - r + p,
		outPolicyLSE:         p,
		outReferenceLSE:      r,
	} {
		if out := Slice[T](&c.Out[k]); out != nil {
			out[i] = T(x)
		}
	}
}
