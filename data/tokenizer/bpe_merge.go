package tokenizer

import (
	"bytes"
	"fmt"
	"math"
)

// merges maps a pair of ids to the rank of its merge and the id it makes. It is
// an open-addressing table that is at most half full.
type merges struct {
	slots []merge
	shift int // 64 - log2(len(slots))
	n     int
}

type merge struct {
	pair uint64 // left<<32 | right
	next uint64 // rank<<32 | id of the merged token, or emptyMerge
}

// noMerge is what a pair without a merge gives; it ranks last.
const noMerge = uint64(math.MaxUint64)

// newMerges has room for n merges.
func newMerges(n int) merges {
	size := ceilPow2(max(2*n, 2))
	t := merges{slots: make([]merge, size), shift: 64}
	for s := size; s > 1; s >>= 1 {
		t.shift--
	}
	for i := range t.slots {
		t.slots[i].next = noMerge
	}
	return t
}

func (t *merges) slot(pair uint64) *merge {
	mask := uint64(len(t.slots) - 1)
	// Fibonacci hashing (Knuth, TAOCP 6.4) of the pair folded to 64 bits.
	for h := (pair ^ pair>>29) * 0x9E3779B97F4A7C15 >> t.shift; ; h = (h + 1) & mask {
		if s := &t.slots[h]; s.pair == pair || s.next == noMerge {
			return s
		}
	}
}

// set enters a merge; a pair that comes twice has the rank that came last.
func (t *merges) set(left, right, id int32, rank int) {
	if 2*(t.n+1) > len(t.slots) {
		old := t.slots
		n := t.n
		*t = newMerges(len(old))
		t.n = n
		for _, m := range old {
			if m.next != noMerge {
				*t.slot(m.pair) = m
			}
		}
	}
	pair := uint64(left)<<32 | uint64(right)
	s := t.slot(pair)
	if s.next == noMerge {
		t.n++
	}
	*s = merge{pair, uint64(rank)<<32 | uint64(id)}
}

// get is rank<<32 | id of the merge of a pair, or noMerge.
func (t *merges) get(left, right int32) uint64 {
	return t.slot(uint64(left)<<32 | uint64(right)).next
}

// joinSpaces marks the last bytes of the texts that a merge joins with a
// metaspace behind them; runs of metaspaces are always joined.
func (t *merges) joinSpaces(v *vocab) (last [256]bool) {
	for _, m := range t.slots {
		if m.next == noMerge {
			continue
		}
		left, right := v.text(int32(m.pair>>32)), v.text(int32(m.pair&math.MaxUint32))
		if len(left) > 0 && bytes.HasPrefix(right, []byte(metaspace)) {
			last[left[len(left)-1]] = true
		}
	}
	last[metaspace[len(metaspace)-1]] = true
	return last
}

// shortWord is the length up to which looking through all pairs beats a heap.
const shortWord = 40

// apply merges the symbols in w.ids and w.lens.
func (t *merges) apply(w *worker) {
	switch n := len(w.ids); {
	case n < 2:
	case n <= shortWord:
		t.applyShort(w)
	default:
		t.applyLong(w)
	}
}

// applyShort keeps the merge of each pair in w.pairs, next to its left symbol.
func (t *merges) applyShort(w *worker) {
	ids, lens := w.ids, w.lens
	pairs := w.pairs[:0]
	for i := 0; i+1 < len(ids); i++ {
		pairs = append(pairs, t.get(ids[i], ids[i+1]))
	}
	w.pairs = pairs
	for {
		best, at := noMerge, 0
		for i, p := range pairs {
			if p < best {
				best, at = p, i
			}
		}
		if best == noMerge {
			break
		}
		ids[at] = int32(uint32(best))
		lens[at] += lens[at+1]
		ids = append(ids[:at+1], ids[at+2:]...)
		lens = append(lens[:at+1], lens[at+2:]...)
		pairs = append(pairs[:at], pairs[at+1:]...)
		if at > 0 {
			pairs[at-1] = t.get(ids[at-1], ids[at])
		}
		if at < len(pairs) {
			pairs[at] = t.get(ids[at], ids[at+1])
		}
	}
	w.ids, w.lens = ids, lens
}

// candidate is a merge that waits in the heap of applyLong.
type candidate struct {
	order uint64 // rank<<32 | position of the left symbol
	id    int32  // what the merge makes
}

// applyLong keeps the candidates in a heap and the symbols in a linked list; a
// symbol that was merged into another has length 0.
func (t *merges) applyLong(w *worker) {
	n := len(w.ids)
	w.links = grown(w.links, 2*n)
	prev, next := w.links[:n], w.links[n:2*n]
	w.heap = w.heap[:0]
	for i := range n {
		prev[i], next[i] = int32(i-1), int32(i+1)
		if i+1 < n {
			w.push(i, t.get(w.ids[i], w.ids[i+1]))
		}
	}
	for len(w.heap) > 0 {
		c := w.pop()
		left := int32(uint32(c.order))
		if w.lens[left] == 0 {
			continue
		}
		right := next[left]
		if int(right) == n {
			continue
		}
		if m := t.get(w.ids[left], w.ids[right]); m == noMerge || int32(uint32(m)) != c.id {
			continue // the pair has changed since
		}
		w.ids[left] = c.id
		w.lens[left] += w.lens[right]
		w.lens[right] = 0
		next[left] = next[right]
		if int(next[left]) < n {
			prev[next[left]] = left
			w.push(int(left), t.get(c.id, w.ids[next[left]]))
		}
		if p := prev[left]; p >= 0 {
			w.push(int(p), t.get(w.ids[p], c.id))
		}
	}
	kept := 0
	for i := range n {
		if w.lens[i] > 0 {
			w.ids[kept], w.lens[kept] = w.ids[i], w.lens[i]
			kept++
		}
	}
	w.ids, w.lens = w.ids[:kept], w.lens[:kept]
}

// push adds the merge m of the symbol at position left to the heap.
func (w *worker) push(left int, m uint64) {
	if m == noMerge {
		return
	}
	h := append(w.heap, candidate{m&^math.MaxUint32 | uint64(left), int32(uint32(m))})
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if h[parent].order <= h[i].order {
			break
		}
		h[parent], h[i] = h[i], h[parent]
		i = parent
	}
	w.heap = h
}

// pop takes the first candidate out of the heap.
func (w *worker) pop() candidate {
	h := w.heap
	top := h[0]
	last := len(h) - 1
	h[0] = h[last]
	h = h[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			break
		}
		if child+1 < last && h[child+1].order < h[child].order {
			child++
		}
		if h[i].order <= h[child].order {
			break
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
	w.heap = h
	return top
}

// grown is s with at least n elements.
func grown[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/2)
	}
	return s[:n]
}

// join enters the merge of two texts; the text it makes must be a token too.
func (m *bpe) join(left, right []byte, rank int, buf []byte) ([]byte, error) {
	a, b := m.vocab.id(left), m.vocab.id(right)
	if a < 0 || b < 0 || len(right) < len(m.prefix) {
		return buf, fmt.Errorf("got %.60q + %.60q, want two tokens of the vocabulary", left, right)
	}
	buf = append(append(buf[:0], left...), right[len(m.prefix):]...)
	id := m.vocab.id(buf)
	if id < 0 {
		return buf, fmt.Errorf("%.60q + %.60q: got %.60q, want a token of the vocabulary", left, right, buf)
	}
	m.merges.set(a, b, id, rank)
	return buf, nil
}
