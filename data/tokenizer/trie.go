package tokenizer

import (
	"bytes"
	"fmt"
	"slices"
)

// Limits of a trie. The largest published vocabulary needs 1.2 million nodes, and
// tokens of more than some hundred bytes are not useful.
const (
	maxNodes = 1 << 23
	maxToken = 1 << 12 // bytes
)

// trie finds the tokens that a text starts with. Nodes are numbered by level, so
// the children of a node follow those of the node before it: a node costs 9
// bytes, and its children are children[first[i]:first[i+1]] of the labels.
type trie struct {
	labels []byte  // of the edge that leads to a node
	first  []int32 // the first child of a node; one more at the end
	ids    []int32 // of the token that ends at a node, -1 for none
	root   [256]int32
}

// group is a node while the trie is built: the texts in sorted[lo:hi] share it.
type group struct{ lo, hi int32 }

// newTrie holds the tokens of a vocabulary that start with prefix, without it.
func newTrie(v *vocab, prefix string) (*trie, error) {
	var keys [][]byte
	var ids []int32
	for id := range v.places {
		if !v.has(int32(id)) {
			continue
		}
		text := v.text(int32(id))
		if v.id(text) != int32(id) { // a text that comes twice
			continue
		}
		if key, ok := bytes.CutPrefix(text, view(prefix)); ok {
			keys, ids = append(keys, key), append(ids, int32(id))
		}
	}
	return buildTrie(keys, ids)
}

// buildTrie is newTrie for keys with their ids.
func buildTrie(keys [][]byte, ids []int32) (*trie, error) {
	order := make([]int32, len(keys))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return bytes.Compare(keys[a], keys[b]) })
	t := &trie{labels: []byte{0}, ids: []int32{-1}}
	level := []group{{0, int32(len(order))}}
	for depth := 0; len(level) > 0; depth++ {
		var next []group
		for _, g := range level {
			t.first = append(t.first, int32(len(t.labels)))
			if g.lo < g.hi && len(keys[order[g.lo]]) == depth {
				g.lo++
			}
			for g.lo < g.hi {
				key := order[g.lo]
				label, end := keys[key][depth], g.lo+1
				for end < g.hi && keys[order[end]][depth] == label {
					end++
				}
				id := int32(-1)
				if len(keys[key]) == depth+1 {
					id = ids[key]
				}
				t.labels, t.ids = append(t.labels, label), append(t.ids, id)
				next = append(next, group{g.lo, end})
				g.lo = end
			}
		}
		if len(t.labels) > maxNodes || depth > maxToken {
			return nil, fmt.Errorf("vocab: %w: want tokens of at most %d bytes and %d nodes of a trie", ErrLimit, maxToken, maxNodes)
		}
		level = next
	}
	t.first = append(t.first, int32(len(t.labels)))
	for b := range t.root {
		t.root[b] = t.search(0, byte(b))
	}
	return t, nil
}

// child is the node that label b leads to, -1 for none.
func (t *trie) child(node int32, b byte) int32 {
	if node == 0 {
		return t.root[b]
	}
	return t.search(node, b)
}

func (t *trie) search(node int32, b byte) int32 {
	lo, hi := t.first[node], t.first[node+1]
	for lo < hi {
		if mid := int32(uint32(lo+hi) / 2); t.labels[mid] < b {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < t.first[node+1] && t.labels[lo] == b {
		return lo
	}
	return -1
}

// longest is the id of the longest token that text starts with, and its length;
// -1 for none.
func (t *trie) longest(text string) (id int32, n int) {
	id = -1
	node := int32(0)
	for i := 0; i < len(text); i++ {
		if node = t.child(node, text[i]); node < 0 {
			break
		}
		if t.ids[node] >= 0 {
			id, n = t.ids[node], i+1
		}
	}
	return id, n
}
