package tensor

import (
	"fmt"
	"math"
	"runtime"
	"slices"
)

// attentionRows is the number of rows whose scores are computed together.
const attentionRows = 64

// attentionLayout is what is known of a packed attention when it is built.
type attentionLayout struct {
	AttentionOptions
	rows              int // capacity
	lanes             int // cores that working memory is planned for
	prefix, positions int // indices of these inputs, or -1
}

// forwardLane is the working memory of one core in elements: a block of scores.
func (l *attentionLayout) forwardLane() int { return attentionRows * l.rows }

// lanes is the number of cores that working memory is planned for. A device
// with more workers allocates the rest in its first run.
func lanes() int { return runtime.GOMAXPROCS(0) }

// attentionPlan is what a batch's segments mean; it is made afresh in each run,
// in memory that is kept.
type attentionPlan[T Float] struct {
	segments []attentionSegment
	pieces   []attentionPiece // chains, one after the other
	blocks   []attentionSpan
	low      []int32 // with a window, for each row the first place of its context that it sees
	extra    []T     // memory of workers beyond layout.lanes

	units  []attentionUnit // of the gradient
	rounds []int           // ends of its rounds, in units
	round  attentionRound  // the one being computed
}

// attentionSegment is one segment: rows start to end, and what stands before.
type attentionSegment struct {
	start, end int
	parent     int // or -1
	first, n   int // its chain: pieces first to first+n, its own the last
	context    int // rows of the chain
}

// attentionPiece is a run of rows of k and v; at is its place in the context.
type attentionPiece struct{ row, n, at, segment int }

// attentionSpan is a run of query rows of one segment.
type attentionSpan struct{ segment, lo, hi int }

func (p *attentionPlan[T]) chain(s *attentionSegment) []attentionPiece {
	return p.pieces[s.first : s.first+s.n]
}

// planOf reads the segments of a call.
func planOf[T Float](c *Call, l attentionLayout) *attentionPlan[T] {
	p, ok := c.State.(*attentionPlan[T])
	if !ok {
		p = &attentionPlan[T]{}
		c.State = p
	}
	p.segments, p.pieces, p.blocks = p.segments[:0], p.pieces[:0], p.blocks[:0]
	rows := c.In[0].Rows()
	operand[T](c, 1, rows*l.kvWidth())
	operand[T](c, 2, rows*l.kvWidth())
	ends := Slice[int32](&c.In[3])
	start := 0
	for i, e := range ends {
		end := int(e)
		if end < start || end > rows {
			panic(fmt.Sprintf("segment %d ends at row %d, want %d to %d", i, end, start, rows))
		}
		parent := -1
		if l.prefix >= 0 {
			parent = int(operand[int32](c, l.prefix, len(ends))[i])
		}
		p.addSegment(start, end, parent)
		start = end
	}
	if start != rows {
		panic(fmt.Sprintf("the last of %d segments ends at row %d, want %d", len(ends), start, rows))
	}
	if l.Window > 0 {
		p.findLow(operand[int32](c, l.positions, rows), l.Window)
	}
	return p
}

// maxPrefixes bounds the length of a chain of prefixes.
const maxPrefixes = 256

// addSegment books a segment. Prefixes are earlier segments, so there are no
// cycles.
func (p *attentionPlan[T]) addSegment(start, end, parent int) {
	i := len(p.segments)
	s := attentionSegment{start: start, end: end, parent: parent, first: len(p.pieces)}
	if parent < -1 || parent >= i {
		panic(fmt.Sprintf("segment %d has segment %d as its prefix, want an earlier one or -1", i, parent))
	}
	if parent >= 0 {
		if p.segments[parent].n >= maxPrefixes {
			panic(fmt.Sprintf("segment %d has more than %d prefixes", i, maxPrefixes))
		}
		above := &p.segments[parent]
		p.pieces = append(p.pieces, p.chain(above)...)
		s.context = above.context
	}
	p.pieces = append(p.pieces, attentionPiece{start, end - start, s.context, i})
	s.n, s.context = len(p.pieces)-s.first, s.context+end-start
	p.segments = append(p.segments, s)
	for lo := start; lo < end; lo += attentionRows {
		p.blocks = append(p.blocks, attentionSpan{i, lo, min(lo+attentionRows, end)})
	}
}

// findLow finds where the window of each row begins.
func (p *attentionPlan[T]) findLow(positions []int32, window int) {
	p.low = slices.Grow(p.low[:0], len(positions))[:len(positions)]
	for i := range p.segments {
		s := &p.segments[i]
		p.checkPositions(positions, i)
		low := contextWalk{pieces: p.chain(s)}
		for row := s.start; row < s.end; row++ {
			for int(positions[row])-int(positions[low.row()]) >= window {
				low.at++
			}
			p.low[row] = int32(low.at)
		}
	}
}

// checkPositions panics unless positions ascend along the chain of segment i:
// only then is a window a run of places.
func (p *attentionPlan[T]) checkPositions(positions []int32, i int) {
	before := int32(math.MinInt32)
	for _, piece := range p.chain(&p.segments[i]) {
		for row := piece.row; row < piece.row+piece.n; row++ {
			if positions[row] <= before {
				panic(fmt.Sprintf("position %d of row %d after %d, want them to ascend along segment %d", positions[row], row, before, i))
			}
			before = positions[row]
		}
	}
}

// contextWalk goes along the rows of a chain.
type contextWalk struct {
	pieces []attentionPiece
	at     int // place in the context
}

func (w *contextWalk) row() int {
	for w.at >= w.pieces[0].at+w.pieces[0].n {
		w.pieces = w.pieces[1:]
	}
	return w.pieces[0].row + w.at - w.pieces[0].at
}

// reserve sees to it that every worker has size elements of memory.
func (p *attentionPlan[T]) reserve(c *Call, l attentionLayout, size int) {
	if c.Pool == nil {
		return
	}
	if more := c.Pool.Workers() - l.lanes; more*size > len(p.extra) {
		p.extra = make([]T, more*size)
	}
}

// lane is a worker's memory.
func (p *attentionPlan[T]) lane(c *Call, l attentionLayout, size, worker int) []T {
	if worker < l.lanes {
		return scratch[T](c, worker*size, size)
	}
	at := (worker - l.lanes) * size
	return p.extra[at : at+size]
}
