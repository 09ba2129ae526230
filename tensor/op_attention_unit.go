package tensor

import "github.com/posttrain/posttrain/internal/kernel"

// unitWork is the gradient of one unit for the query heads of one key head.
type unitWork[T Float] struct {
	c      *Call
	g      *attentionBackward
	p      *attentionPlan[T]
	u      *attentionUnit
	s      *attentionSegment
	kvHead int
	worker int

	q, k, v, out, dout, lse []T
	dq, dk, dv              []T // nil where not wanted
	partialK, partialV      []T
	weights, scores         []T // working memory
}

func newUnitWork[T Float](c *Call, g *attentionBackward, p *attentionPlan[T], u *attentionUnit, kvHead, worker int) unitWork[T] {
	w := unitWork[T]{
		c: c, g: g, p: p, u: u, s: &p.segments[u.segment], kvHead: kvHead, worker: worker,
		q: Slice[T](&c.In[0]), k: Slice[T](&c.In[1]), v: Slice[T](&c.In[2]),
		out: Slice[T](&c.In[g.out]), dout: Slice[T](&c.In[g.dout]), lse: Slice[T](&c.In[g.lse]),
		dq: Slice[T](&c.Out[0]), dk: Slice[T](&c.Out[1]), dv: Slice[T](&c.Out[2]),
	}
	lane := p.lane(c, g.attentionLayout, g.backwardLane(), worker)
	w.weights, w.scores = lane[:len(lane)/2], lane[len(lane)/2:]
	if g.budget() > 0 {
		w.partialK, w.partialV = partialSums[T](c, g)
	}
	return w
}

func (w *unitWork[T]) run() {
	w.clearPartials()
	for head := w.kvHead * w.g.group(); head < (w.kvHead+1)*w.g.group(); head++ {
		for lo := w.u.lo; lo < w.u.hi; lo += attentionRows {
			w.rows(head, lo, min(lo+attentionRows, w.u.hi))
		}
	}
}

// clearPartials clears this head's columns of the unit's partial sums.
func (w *unitWork[T]) clearPartials() {
	width, dim := w.g.kvWidth(), w.g.HeadDim
	for i := range w.u.partialEnd(w.s) - w.u.from {
		at := (w.u.buffer+i)*width + w.kvHead*dim
		clear(w.partialK[at : at+dim])
		clear(w.partialV[at : at+dim])
	}
}

// rows handles rows lo to hi of one head.
func (w *unitWork[T]) rows(head, lo, hi int) {
	var mean [attentionRows]T // Σ dP·P of each row, which is dout·out
	dim, width := w.g.HeadDim, w.g.qWidth()
	for i := lo; i < hi; i++ {
		at := i*width + head*dim
		mean[i-lo] = kernel.Dot(w.dout[at:at+dim], w.out[at:at+dim])
	}
	b := unitBlock{head: head, lo: lo, hi: hi, base: w.s.context - w.s.end + lo, first: true}
	from, to := 0, b.base+hi-lo
	if w.g.Window > 0 {
		from = int(w.p.low[lo])
	}
	for _, piece := range w.p.chain(w.s) {
		end := min(piece.at+piece.n, to)
		for at := max(piece.at, from); at < end; at += attentionKeys {
			b.at, b.n = at, min(attentionKeys, end-at)
			b.row = piece.row + at - piece.at
			b.direct = w.u.direct && piece.segment == w.u.segment
			w.block(&b, mean[:hi-lo])
			b.first = false
		}
	}
}

// unitBlock is a block of query rows lo to hi, the first at place base of the
// context, against n keys at place at, which are rows from row on.
type unitBlock struct {
	head, lo, hi, base int
	at, n, row         int
	direct, first      bool
}

func (w *unitWork[T]) block(b *unitBlock, mean []T) {
	dim, ldq, ldk := w.g.HeadDim, w.g.qWidth(), w.g.kvWidth()
	qAt, kAt := b.lo*ldq+b.head*dim, b.row*ldk+w.kvHead*dim
	m := b.hi - b.lo
	w.multiply(strided[T]{M: m, N: b.n, K: dim, A: w.q[qAt:], LDA: ldq, B: w.k[kAt:], LDB: ldk, TransB: true, C: w.weights, LDC: b.n, Alpha: w.alpha()})
	if w.dq != nil || w.dk != nil {
		w.multiply(strided[T]{M: m, N: b.n, K: dim, A: w.dout[qAt:], LDA: ldq, B: w.v[kAt:], LDB: ldk, TransB: true, C: w.scores, LDC: b.n})
	}
	for i := range m {
		w.row(b, i, mean[i])
	}
	if w.dv != nil {
		to := w.target(b, w.dv, w.partialV)
		w.multiply(strided[T]{M: b.n, N: dim, K: m, A: w.weights, LDA: b.n, TransA: true, B: w.dout[qAt:], LDB: ldq, C: to, LDC: ldk, Add: true})
	}
	if w.dk != nil {
		to := w.target(b, w.dk, w.partialK)
		w.multiply(strided[T]{M: b.n, N: dim, K: m, A: w.scores, LDA: b.n, TransA: true, B: w.q[qAt:], LDB: ldq, C: to, LDC: ldk, Alpha: w.g.Scale, Add: true})
	}
	if w.dq != nil {
		w.multiply(strided[T]{M: m, N: dim, K: b.n, A: w.scores, LDA: b.n, B: w.k[kAt:], LDB: ldk, C: w.dq[qAt:], LDC: ldq, Alpha: w.g.Scale, Add: !b.first})
	}
}

// row turns row i of the block's scores into weights, and the gradients of the
// weights into gradients of the scores before scaling.
func (w *unitWork[T]) row(b *unitBlock, i int, mean T) {
	p, ds := w.weights[i*b.n:(i+1)*b.n], w.scores[i*b.n:(i+1)*b.n]
	lo, hi := 0, min(max(b.base+i+1-b.at, 0), b.n)
	if w.g.Window > 0 {
		lo = min(max(int(w.p.low[b.lo+i])-b.at, 0), hi)
	}
	clear(p[:lo])
	clear(p[hi:])
	clear(ds[:lo])
	clear(ds[hi:])
	p, ds = p[lo:hi], ds[lo:hi]
	lse := w.lse[(b.lo+i)*w.g.Heads+b.head]
	if w.g.SoftCap == 0 {
		kernel.ExpShift(p, p, lse)
		kernel.Mul(ds, ds, p)
		kernel.Axpy(ds, -mean, p)
		return
	}
	kernel.Tanh(p, p)
	for j, t := range p {
		ds[j] = (ds[j] - mean) * (1 - t*t)
	}
	kernel.Scale(p, p, T(w.g.SoftCap))
	kernel.ExpShift(p, p, lse)
	kernel.Mul(ds, ds, p)
}

// target is where the gradient of the block's keys or values goes.
func (w *unitWork[T]) target(b *unitBlock, out, partial []T) []T {
	row := b.row
	if !b.direct {
		row, out = w.u.buffer+b.at-w.u.from, partial
	}
	return out[row*w.g.kvWidth()+w.kvHead*w.g.HeadDim:]
}

func (w *unitWork[T]) alpha() float64 {
	if w.g.SoftCap > 0 {
		return w.g.Scale / w.g.SoftCap
	}
	return w.g.Scale
}

func (w *unitWork[T]) multiply(p strided[T]) { p.run(w.c, w.worker) }
