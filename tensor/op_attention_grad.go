package tensor

import "github.com/posttrain/posttrain/internal/kernel"

const (
	// attentionKeys is the number of keys a gradient takes at once.
	attentionKeys = 512
	// attentionChunk is the number of query rows of a long segment whose
	// contributions to k and v are added up first.
	attentionChunk = 512
	// partialRows is how many rows of partial sums are kept at a time, in units
	// of the batch's capacity.
	partialRows = 3
)

// backwardLane is the working memory of one core in elements: weights and
// gradients of the scores.
func (l *attentionLayout) backwardLane() int { return 2 * attentionRows * min(attentionKeys, l.rows) }

// budget is the number of rows of partial sums.
func (l *attentionLayout) budget() int {
	if l.prefix < 0 && l.rows <= attentionChunk {
		return 0
	}
	return partialRows * l.rows
}

// attentionUnit is a run of query rows of one segment, which see places from to
// to of its context. Its contributions to k and v go to partial sums; those to
// the rows of a segment that is one unit go to the gradients themselves.
// Partial sums are added after the round, and units of other segments that see
// these rows come later, so nothing is added out of order.
type attentionUnit struct {
	attentionSpan
	from, to int
	buffer   int // first row of its partial sums
	direct   bool
}

// partialEnd is the end of the places that have partial sums.
func (u *attentionUnit) partialEnd(s *attentionSegment) int {
	if u.direct {
		return max(u.from, s.context-(s.end-s.start))
	}
	return u.to
}

// planUnits splits the work of the gradient into units, and units into rounds
// whose partial sums fit the memory. Neither depends on the number of workers.
func (p *attentionPlan[T]) planUnits(l attentionLayout) {
	p.units, p.rounds = p.units[:0], p.rounds[:0]
	used := 0
	for i := range p.segments {
		s := &p.segments[i]
		for lo := s.start; lo < s.end; lo += attentionChunk {
			hi := min(lo+attentionChunk, s.end)
			u := attentionUnit{attentionSpan: attentionSpan{i, lo, hi}, to: s.context - s.end + hi, buffer: used}
			u.direct = s.end-s.start <= attentionChunk
			if l.Window > 0 {
				u.from = int(p.low[lo])
			}
			need := u.partialEnd(s) - u.from
			if used+need > l.budget() {
				p.rounds = append(p.rounds, len(p.units))
				used, u.buffer = 0, 0
			}
			used += need
			p.units = append(p.units, u)
		}
	}
	p.rounds = append(p.rounds, len(p.units))
}

// attentionGradient has the inputs of the forward pass, its result and
// log-sum-exp, and the gradient of the result.
func attentionGradient(b *Backward, l attentionLayout) Nodes {
	q, k, v := b.In[0], b.In[1], b.In[2]
	g := attentionBackward{l, len(b.In), len(b.In) + 1, len(b.In) + 2}
	in := append(append(Nodes(nil), b.In...), b.Out[0], b.Out[1], b.Grad[0])
	const name = "attention.grad"
	gs := Apply(Spec{
		Name:           name,
		Out:            []Output{fresh(q, 0), fresh(k, 1), fresh(v, 2)},
		Differentiable: make([]bool, len(in)),
		Kernel:         byFloat(name, q, attentionGradientKernel[float32](g), attentionGradientKernel[float64](g)),
		Scratch:        (l.lanes*l.backwardLane() + 2*l.budget()*l.kvWidth()) * floatSize(q),
	}, in...)
	return append(gs, make(Nodes, len(b.In)-3)...)
}

// attentionBackward is the layout with the indices of further inputs.
type attentionBackward struct {
	attentionLayout
	out, lse, dout int
}

// attentionRound is a run of units whose partial sums are kept together.
type attentionRound struct{ lo, hi int }

// attentionGradientKernel computes units in parallel, round after round, and
// after each round adds its partial sums up in the order of the units.
func attentionGradientKernel[T Float](g attentionBackward) Kernel {
	units := func(c *Call, lo, hi, worker int) {
		p := c.State.(*attentionPlan[T])
		for i := lo; i < hi; i++ {
			// The last units of a segment see the most and come first.
			i := (p.round.hi-p.round.lo)*g.KVHeads - 1 - i
			w := newUnitWork(c, &g, p, &p.units[p.round.lo+i/g.KVHeads], i%g.KVHeads, worker)
			w.run()
		}
	}
	partials := func(c *Call, lo, hi, _ int) { c.State.(*attentionPlan[T]).addPartials(c, &g, lo, hi) }
	zero := func(c *Call, lo, hi, _ int) {
		for _, out := range [][]T{Slice[T](&c.Out[1]), Slice[T](&c.Out[2])} {
			if out != nil {
				clear(out[lo*g.kvWidth() : hi*g.kvWidth()])
			}
		}
	}
	return func(c *Call) {
		rows := c.In[0].Rows()
		p := planOf[T](c, g.attentionLayout)
		p.planUnits(g.attentionLayout)
		p.reserve(c, g.attentionLayout, g.backwardLane())
		c.Parallel(rows, attentionRows, zero)
		at := 0
		for _, end := range p.rounds {
			p.round = attentionRound{at, end}
			c.Parallel((end-at)*g.KVHeads, 1, units)
			if g.budget() > 0 {
				c.Parallel(rows, attentionRows, partials)
			}
			at = end
		}
	}
}

// partialSums is the memory of the partial sums of k's gradient and v's.
func partialSums[T Float](c *Call, g *attentionBackward) (dk, dv []T) {
	n := g.budget() * g.kvWidth()
	at := g.lanes * g.backwardLane()
	return scratch[T](c, at, n), scratch[T](c, at+n, n)
}

// addPartials adds the partial sums of a round to rows lo to hi.
func (p *attentionPlan[T]) addPartials(c *Call, g *attentionBackward, lo, hi int) {
	var sums [2][]T
	sums[0], sums[1] = partialSums[T](c, g)
	width := g.kvWidth()
	for i := p.round.lo; i < p.round.hi; i++ {
		u := &p.units[i]
		s := &p.segments[u.segment]
		end := u.partialEnd(s)
		for _, piece := range p.chain(s) {
			// Rows of the piece that have partial sums and lie in lo to hi.
			shift := piece.row - piece.at
			a, b := max(lo, piece.row, u.from+shift), min(hi, piece.row+piece.n, end+shift)
			if a >= b {
				continue
			}
			at := (u.buffer + a - shift - u.from) * width
			for k, sum := range sums {
				if out := Slice[T](&c.Out[1+k]); out != nil {
					kernel.Add(out[a*width:b*width], out[a*width:b*width], sum[at:at+(b-a)*width])
				}
			}
		}
	}
}
