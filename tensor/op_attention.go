package tensor

import "math"

// AttentionOptions control Attention and CachedAttention.
type AttentionOptions struct {
	Heads   int     // of the queries
	KVHeads int     // of keys and values, a divisor of Heads; 0 means Heads
	HeadDim int     // width of a head
	Scale   float64 // of the scores; 0 means 1/√HeadDim
	Window  int     // a row sees this many positions, itself included; 0 means all before it
	SoftCap float64 // c: scores become c·tanh(s/c); 0 means no cap
}

// Segments say which rows of a packed batch belong together.
type Segments struct {
	// Ends is the exclusive end of each segment, (S) int32, ascending; the last
	// live one is the number of live rows.
	Ends *Node
	// Prefix is, for each segment, the index of an earlier one whose rows stand
	// before its own (and before those the rows that stand before it, and so
	// on), or −1; (S) int32. nil means none.
	Prefix *Node
	// Positions is the position of each row, (N) int32, ascending along a
	// segment and its prefixes. It is needed for a Window only.
	Positions *Node
}

// Attention is causal scaled dot-product attention over a packed batch (Vaswani
// et al. 2017, arXiv:1706.03762, eq. 1), with grouped keys and values (Ainslie
// et al. 2023, arXiv:2305.13245). Shapes: q (N, Heads·HeadDim), k and v
// (N, KVHeads·HeadDim); the result is (N, Heads·HeadDim). A row sees itself,
// the earlier rows of its segment, and all rows of the segments that stand
// before it; with a Window only those whose position is less than Window below
// its own. Rows of a shared prefix are computed once, and their gradients are
// the sums over all segments that see them.
//
// Scores exist for blocks of 64 rows of one head at a time. Working memory is
// one such block for each core, and for gradients of long or shared segments
// partial sums of up to 3N rows of k and v; it is part of the memory plan.
func Attention(q, k, v *Node, seg Segments, o AttentionOptions) *Node {
	const name = "attention"
	o.check(name, q, k, v)
	checkInts(name, "ends", seg.Ends)
	in := Nodes{q, k, v, seg.Ends}
	l := attentionLayout{AttentionOptions: o, rows: q.Shape()[0], lanes: lanes(), prefix: -1, positions: -1}
	if seg.Prefix != nil {
		checkInts(name, "prefix", seg.Prefix)
		if seg.Prefix.Shape()[0] != seg.Ends.Shape()[0] {
			fail("%s: %d prefixes for %d segments", name, seg.Prefix.Shape()[0], seg.Ends.Shape()[0])
		}
		l.prefix, in = len(in), append(in, seg.Prefix)
	}
	if o.Window > 0 {
		checkInts(name, "positions", seg.Positions)
		if seg.Positions.Shape()[0] != l.rows {
			fail("%s: %d positions for %d rows", name, seg.Positions.Shape()[0], l.rows)
		}
		l.positions, in = len(in), append(in, seg.Positions)
	}
	s := Spec{
		Name: name,
		Out: []Output{
			fresh(q, 0),
			{Shape: Shape{l.rows, o.Heads}, Dtype: q.Dtype(), Axis: 1}, // log-sum-exp of the scores
		},
		Differentiable: make([]bool, len(in)),
		Kernel:         byFloat(name, q, attentionKernel[float32](l), attentionKernel[float64](l)),
		Scratch:        l.lanes * l.forwardLane() * floatSize(q),
	}
	s.Differentiable[0], s.Differentiable[1], s.Differentiable[2] = true, true, true
	s.Gradient = func(b *Backward) Nodes { return attentionGradient(b, l) }
	return Apply(s, in...)[0]
}

// check completes and checks o beside q, k and v.
func (o *AttentionOptions) check(name string, q, k, v *Node) {
	checkFloat(name, q)
	checkSame(name, k, v)
	if o.KVHeads == 0 {
		o.KVHeads = o.Heads
	}
	if o.Heads < 1 || o.HeadDim < 1 || o.KVHeads < 1 || o.Heads%o.KVHeads != 0 {
		fail("%s: %d heads of width %d over %d, want positive numbers and a divisor", name, o.Heads, o.HeadDim, o.KVHeads)
	}
	if o.Window < 0 || !(o.SoftCap >= 0) || math.IsInf(o.SoftCap, 0) || math.IsNaN(o.Scale) || math.IsInf(o.Scale, 0) {
		fail("%s: window %d, soft cap %g, scale %g: want none negative and all finite", name, o.Window, o.SoftCap, o.Scale)
	}
	if o.Scale == 0 {
		o.Scale = 1 / math.Sqrt(float64(o.HeadDim))
	}
	if k.Dtype() != q.Dtype() {
		fail("%s: q is %v, k is %v, want equal types", name, q.Dtype(), k.Dtype())
	}
	for i, n := range (Nodes{q, k}) {
		heads := []int{o.Heads, o.KVHeads}[i]
		if n.Dims() != 2 || n.Shape()[1] != heads*o.HeadDim || n.Shape()[0] != q.Shape()[0] {
			fail("%s: %s has shape %v, want (%d, %d)", name, []string{"q", "k"}[i], n.Shape(), q.Shape()[0], heads*o.HeadDim)
		}
	}
}

func (o *AttentionOptions) group() int   { return o.Heads / o.KVHeads }
func (o *AttentionOptions) qWidth() int  { return o.Heads * o.HeadDim }
func (o *AttentionOptions) kvWidth() int { return o.KVHeads * o.HeadDim }

// attentionKernel has inputs q, k, v, ends and, where the layout says so,
// prefix and positions; outputs are the result and its log-sum-exp.
func attentionKernel[T Float](l attentionLayout) Kernel {
	core := attentionCore{l.AttentionOptions}
	body := func(c *Call, lo, hi, worker int) {
		p, q, lse := c.State.(*attentionPlan[T]), Slice[T](&c.In[0]), Slice[T](&c.Out[1])
		for i := lo; i < hi; i++ {
			i := len(p.blocks)*l.Heads - 1 - i // the longest first
			b, head := p.blocks[i/l.Heads], i%l.Heads
			s := &p.segments[b.segment]
			w := attentionBlock[T]{
				rows: b.hi - b.lo, base: s.context - s.end + b.lo, step: 1, pieces: p.chain(s),
				q: q[b.lo*l.qWidth()+head*l.HeadDim:], ldq: l.qWidth(),
				k: Slice[T](&c.In[1]), v: Slice[T](&c.In[2]), ldk: l.kvWidth(), column: head / l.group() * l.HeadDim,
			}
			if c.Out[0].Wanted() {
				w.out, w.ldo = Slice[T](&c.Out[0])[b.lo*l.qWidth()+head*l.HeadDim:], l.qWidth()
			}
			if l.Window > 0 {
				w.low = p.low[b.lo:b.hi]
			}
			if lse != nil {
				w.lse, w.ldl = lse[b.lo*l.Heads+head:], l.Heads
			}
			attend(c, core, &w, p.lane(c, l, l.forwardLane(), worker), worker)
		}
	}
	return func(c *Call) {
		p := planOf[T](c, l)
		if !c.Out[0].Wanted() && !c.Out[1].Wanted() {
			return
		}
		p.reserve(c, l, l.forwardLane())
		c.Parallel(len(p.blocks)*l.Heads, 1, body)
	}
}
