package tensor

import (
	"math"

	"github.com/posttrain/posttrain/internal/kernel"
)

const (
	// cacheSplitKeys is the number of keys in a part of a single row's work, so
	// that one long sequence occupies more cores than it has key heads (in the
	// manner of Dao et al. 2023, "Flash-Decoding").
	cacheSplitKeys = 512
	// cacheSplitTasks is the number of tasks from which that is not needed. It is
	// compared with the capacity of the graph, so results depend neither on the
	// number of workers nor on the other rows of a call.
	cacheSplitTasks = 64
)

// cacheMerge is the parts of one row and some of its heads.
type cacheMerge struct{ row, head, heads, part, parts int }

// partSize is the number of elements of a part: the results of the heads, then
// their log-sum-exps.
func (l *cacheLayout) partSize() int { return min(l.group(), attentionRows) * (l.HeadDim + 1) }

// mostParts bounds the number of parts of single rows.
func (l *cacheLayout) mostParts(rows int) int {
	blocks := (l.group() + attentionRows - 1) / attentionRows
	return rows * l.KVHeads * blocks * ((l.rows + cacheSplitKeys - 1) / cacheSplitKeys)
}

// partOf is the memory of a part.
func partOf[T Float](c *Call, l cacheLayout, part int) (out, lse []T) {
	heads := min(l.group(), attentionRows)
	s := scratch[T](c, l.lanes*l.forwardLane()+part*l.partSize(), l.partSize())
	return s[:heads*l.HeadDim], s[heads*l.HeadDim:]
}

// addParts splits the task of a single row; it reports whether that pays.
func (p *cachePlan[T]) addParts(l cacheLayout, t cacheTask) bool {
	from, to := 0, t.position+1
	if t.low >= 0 {
		from = int(p.low[t.low])
	}
	if !l.split || to-from <= cacheSplitKeys {
		return false
	}
	m := cacheMerge{t.lo, t.head, t.heads, p.parts, 0}
	for ; from < to; from += cacheSplitKeys {
		t.position, t.low, t.part = min(from+cacheSplitKeys, to)-1, len(p.low), p.parts
		p.low = append(p.low, int32(from))
		p.tasks = append(p.tasks, t)
		p.parts++
		m.parts++
	}
	p.merges = append(p.merges, m)
	return true
}

// mergeParts writes the result of a row from its parts: their mean, weighted by
// the exponentials of their log-sum-exps.
func mergeParts[T Float](c *Call, l cacheLayout, m *cacheMerge) {
	for h := range m.heads {
		largest := math.Inf(-1)
		for i := range m.parts {
			_, lse := partOf[T](c, l, m.part+i)
			largest = max(largest, float64(lse[h]))
		}
		at := m.row*l.qWidth() + (m.head+h)*l.HeadDim
		to := Slice[T](&c.Out[0])[at : at+l.HeadDim]
		clear(to)
		total := 0.0
		for i := range m.parts {
			out, lse := partOf[T](c, l, m.part+i)
			weight := math.Exp(float64(lse[h]) - largest)
			total += weight
			kernel.Axpy(to, T(weight), out[h*l.HeadDim:(h+1)*l.HeadDim])
		}
		kernel.Scale(to, to, T(1/total))
	}
}
