package tensor

import (
	"fmt"
	"math"
)

// CachedAttention is Attention for generation: the keys and values of earlier
// tokens are in a cache. It writes row i of k and v to place positions[i] of
// sequence slots[i] and lets row i of q see what is there from place 0 (with a
// Window, from place positions[i]−Window+1) to positions[i]. One call may hold
// many rows of one sequence (prefill), one row of each of many (decoding), or
// both; rows of a sequence that stand next to each other in the order of their
// positions are computed together. A place that is written twice in one call
// keeps the later row. In graphs of few rows the keys of a single row are
// shared out in parts of 512, so that long sequences use every core.
//
// Shapes: q (N, Heads·HeadDim); k and v (N, KVHeads·HeadDim); kcache and vcache
// (Slots, MaxLen, KVHeads·HeadDim), inputs that the caller binds and that the
// op changes; slots and positions (N) int32. A slot or position outside of the
// cache is an error of the run. There is no gradient.
func CachedAttention(q, k, v, kcache, vcache, slots, positions *Node, o AttentionOptions) *Node {
	const name = "attention.cached"
	o.check(name, q, k, v)
	for i, n := range (Nodes{kcache, vcache}) {
		what := []string{"key cache", "value cache"}[i]
		checkFloat(name, n)
		if n.Dims() != 3 || n.Shape()[2] != o.kvWidth() || n.Dtype() != q.Dtype() || !n.Shape().Eq(kcache.Shape()) {
			fail("%s: %s is %v of shape %v, want %v (Slots, MaxLen, %d)", name, what, n.Dtype(), n.Shape(), q.Dtype(), o.kvWidth())
		}
		if n.Op() != nil {
			fail("%s: %s is the result of an op, want an input", name, what)
		}
	}
	for i, n := range (Nodes{slots, positions}) {
		what := []string{"slots", "positions"}[i]
		checkInts(name, what, n)
		if n.Shape()[0] != q.Shape()[0] {
			fail("%s: %d %s for %d rows", name, n.Shape()[0], what, q.Shape()[0])
		}
	}
	l := cacheLayout{attentionLayout: attentionLayout{AttentionOptions: o, rows: kcache.Shape()[1], lanes: lanes()}}
	l.split = q.Shape()[0]*o.KVHeads < cacheSplitTasks && l.rows > cacheSplitKeys
	if l.split {
		l.parts = l.mostParts(q.Shape()[0])
	}
	in := Nodes{q, k, v, kcache, vcache, slots, positions}
	return Apply(Spec{
		Name:           name,
		Out:            []Output{fresh(q, 0)},
		Differentiable: make([]bool, len(in)),
		Kernel:         byFloat(name, q, cacheKernel[float32](l), cacheKernel[float64](l)),
		Scratch:        (l.lanes*l.forwardLane() + l.parts*l.partSize()) * floatSize(q),
		Stateful:       true,
	}, in...)[0]
}

// cacheLayout is what is known when the op is built; rows is MaxLen.
type cacheLayout struct {
	attentionLayout
	split bool // single rows are computed in parts
	parts int  // the largest number of parts of a call
}

// cachePlan is the work of a call, made afresh in each run in memory that is
// kept.
type cachePlan[T Float] struct {
	attentionPlan[T]
	tasks  []cacheTask
	merges []cacheMerge
	parts  int
}

// cacheTask is query rows lo to hi, of one sequence at consecutive positions
// from position on, and heads of them from head on. A single row is computed
// for the query heads of a key head at once, so that keys are read once; of
// several rows one head at a time.
type cacheTask struct {
	lo, hi, position, head, heads int
	piece                         int
	low                           int // where low begins for its rows; -1 for none
	part                          int // the part its result is; -1 for all of it
}

// cacheKernel has inputs q, k, v, kcache, vcache, slots and positions.
func cacheKernel[T Float](l cacheLayout) Kernel {
	body := func(c *Call, lo, hi, worker int) {
		p := c.State.(*cachePlan[T])
		scores := p.lane(c, l.attentionLayout, l.forwardLane(), worker)
		for i := lo; i < hi; i++ {
			w := cacheBlock(c, l, p, &p.tasks[i])
			attend(c, attentionCore{l.AttentionOptions}, &w, scores, worker)
		}
	}
	merge := func(c *Call, lo, hi, _ int) {
		p := c.State.(*cachePlan[T])
		for i := lo; i < hi; i++ {
			mergeParts[T](c, l, &p.merges[i])
		}
	}
	return func(c *Call) {
		p, ok := c.State.(*cachePlan[T])
		if !ok {
			p = &cachePlan[T]{}
			c.State = p
		}
		writeCache[T](c, l)
		if !c.Out[0].Wanted() {
			return
		}
		p.plan(c, l)
		p.reserve(c, l.attentionLayout, l.forwardLane())
		c.Parallel(len(p.tasks), 1, body)
		c.Parallel(len(p.merges), 1, merge)
	}
}

// writeCache copies the rows of k and v to their places.
func writeCache[T Float](c *Call, l cacheLayout) {
	rows, width := c.In[0].Rows(), l.kvWidth()
	k, v := operand[T](c, 1, rows*width), operand[T](c, 2, rows*width)
	kcache, vcache := Slice[T](&c.In[3]), Slice[T](&c.In[4])
	slots, positions := operand[int32](c, 5, rows), operand[int32](c, 6, rows)
	count := c.In[3].Rows()
	for i := range rows {
		slot, position := int(slots[i]), int(positions[i])
		if slot < 0 || slot >= count || position < 0 || position >= l.rows {
			panic(fmt.Sprintf("row %d goes to slot %d at position %d, want less than %d slots and %d positions", i, slot, position, count, l.rows))
		}
		at := (slot*l.rows + position) * width
		copy(kcache[at:at+width], k[i*width:])
		copy(vcache[at:at+width], v[i*width:])
	}
}

// plan splits the rows into tasks.
func (p *cachePlan[T]) plan(c *Call, l cacheLayout) {
	p.tasks, p.merges, p.pieces, p.low, p.parts = p.tasks[:0], p.merges[:0], p.pieces[:0], p.low[:0], 0
	rows := c.In[0].Rows()
	slots, positions := Slice[int32](&c.In[5])[:rows], Slice[int32](&c.In[6])[:rows]
	if l.Window > 0 {
		for _, position := range positions {
			p.low = append(p.low, max(0, position-int32(min(l.Window, math.MaxInt32))+1))
		}
	}
	for lo := 0; lo < rows; {
		hi := lo + 1
		for hi < rows && hi-lo < attentionRows && slots[hi] == slots[lo] && positions[hi] == positions[hi-1]+1 {
			hi++
		}
		p.addRows(l, cacheTask{lo: lo, hi: hi, position: int(positions[lo]), heads: 1, piece: len(p.pieces), low: -1, part: -1})
		p.pieces = append(p.pieces, attentionPiece{row: int(slots[lo]) * l.rows, n: l.rows})
		lo = hi
	}
}

// addRows makes the tasks of rows t.lo to t.hi.
func (p *cachePlan[T]) addRows(l cacheLayout, t cacheTask) {
	if l.Window > 0 {
		t.low = t.lo
	}
	if t.hi-t.lo > 1 {
		for t.head = range l.Heads {
			p.tasks = append(p.tasks, t)
		}
		return
	}
	for g := range l.KVHeads {
		for h := 0; h < l.group(); h += attentionRows {
			t.head, t.heads = g*l.group()+h, min(l.group()-h, attentionRows)
			if !p.addParts(l, t) {
				p.tasks = append(p.tasks, t)
			}
		}
	}
}

// cacheBlock describes a task as a block of attention. With one query row the
// rows of the block are the heads.
func cacheBlock[T Float](c *Call, l cacheLayout, p *cachePlan[T], t *cacheTask) attentionBlock[T] {
	at, n := t.lo*l.qWidth()+t.head*l.HeadDim, t.hi-t.lo
	w := attentionBlock[T]{
		rows: n, base: t.position, step: 1, pieces: p.pieces[t.piece : t.piece+1],
		q: Slice[T](&c.In[0])[at:], ldq: l.qWidth(),
		k: Slice[T](&c.In[3]), v: Slice[T](&c.In[4]), ldk: l.kvWidth(), column: t.head / l.group() * l.HeadDim,
		out: Slice[T](&c.Out[0])[at:], ldo: l.qWidth(),
	}
	if n == 1 {
		w.rows, w.step, w.ldq, w.ldo = t.heads, 0, l.HeadDim, l.HeadDim
	}
	if t.low >= 0 {
		w.low = p.low[t.low : t.low+n]
	}
	if t.part >= 0 {
		w.out, w.lse = partOf[T](c, l, t.part)
		w.ldl = 1
	}
	return w
}

// CopyCache copies the first n places of slot from to slot to in a cache
// (slots, maxLen, width): a prompt is computed once and continued several
// times. It fails when the slots or n are out of range.
func CopyCache[T Float](cache []T, slots, maxLen, from, to, n int) error {
	if slots < 1 || maxLen < 1 || len(cache)%(slots*maxLen) != 0 {
		return fmt.Errorf("tensor: cache of %d elements, want a multiple of %d slots of %d places", len(cache), slots, maxLen)
	}
	if from < 0 || to < 0 || from >= slots || to >= slots || n < 0 || n > maxLen {
		return fmt.Errorf("tensor: copying %d places of slot %d to slot %d, want at most %d places and slots below %d", n, from, to, maxLen, slots)
	}
	width := len(cache) / slots / maxLen
	copy(cache[to*maxLen*width:][:n*width], cache[from*maxLen*width:][:n*width])
	return nil
}
