package tokenizer

import (
	"container/heap"
	"context"
	"fmt"
	"slices"
	"unicode/utf8"
)

// pairKey is two ids: left<<32 | right. Its order is that of the pairs.
type pairKey uint64

func pairOf(left, right int32) pairKey { return pairKey(left)<<32 | pairKey(right) }

// trainer merges the most frequent pairs of symbols of the words. It follows
// BpeTrainer of Hugging Face in every step, since ties decide what comes out.
type trainer struct {
	m     *bpe
	o     *TrainOptions
	size  int // tokens so far
	ranks int // merges so far

	words  [][]int32 // symbols
	counts []int64   // how often each word was seen
	lens   []int32   // bytes each token stands for

	pairs map[pairKey]int64   // how often each pair is there
	found map[pairKey][]int32 // words where pairs are new, in order
	queue waiting
	order int
}

// waits is a pair that waits for its turn: the count it had when it came, and the
// words where it came up then.
type waits struct {
	count int64
	pair  pairKey
	order int
	words []int32
}

// waiting is a heap: the largest count first, of these the smallest pair.
type waiting []waits

// Len is the number of pairs.
func (q waiting) Len() int { return len(q) }

// Less says whether pair i comes before pair j.
func (q waiting) Less(i, j int) bool {
	a, b := &q[i], &q[j]
	switch {
	case a.count != b.count:
		return a.count > b.count
	case a.pair != b.pair:
		return a.pair < b.pair
	}
	return a.order < b.order
}

// Swap swaps two pairs.
func (q waiting) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push adds a pair at the end.
func (q *waiting) Push(x any) { *q = append(*q, x.(waits)) }

// Pop takes the last pair away.
func (q *waiting) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = waits{}
	*q = old[:len(old)-1]
	return last
}

func newTrainer(m *bpe, words map[string]*int64, o *TrainOptions) *trainer {
	tr := &trainer{m: m, o: o, size: m.vocab.count, pairs: map[pairKey]int64{}, found: map[pairKey][]int32{}}
	tr.lens = make([]int32, tr.size)
	for id, text := range o.SpecialTokens {
		tr.lens[id] = int32(utf8.RuneCountInString(text))
	}
	var bytes [numBytes]int32
	for b := range bytes {
		bytes[b] = m.vocab.id([]byte(string(byteRune(byte(b)))))
		tr.lens[bytes[b]] = 1
	}
	for i, word := range sorted(words) {
		symbols := make([]int32, len(word))
		for k := range symbols {
			symbols[k] = bytes[word[k]]
		}
		count := *words[word]
		tr.words, tr.counts = append(tr.words, symbols), append(tr.counts, count)
		for k := 1; k < len(symbols); k++ {
			p := pairOf(symbols[k-1], symbols[k])
			tr.pairs[p] += count
			tr.note(p, int32(i))
		}
	}
	tr.enqueue()
	return tr
}

// note remembers that a pair is new in a word. Words come in order.
func (tr *trainer) note(p pairKey, word int32) {
	if at := tr.found[p]; len(at) == 0 || at[len(at)-1] != word {
		tr.found[p] = append(at, word)
	}
}

// enqueue puts the pairs that were found into the queue.
func (tr *trainer) enqueue() {
	keys := make([]pairKey, 0, len(tr.found))
	for p := range tr.found {
		keys = append(keys, p)
	}
	slices.Sort(keys)
	for _, p := range keys {
		if n := tr.pairs[p]; n > 0 {
			tr.order++
			heap.Push(&tr.queue, waits{n, p, tr.order, tr.found[p]})
		}
	}
	clear(tr.found)
}

// run merges until the vocabulary is full or no pair is frequent enough.
func (tr *trainer) run(ctx context.Context) error {
	for tr.size < tr.o.VocabSize && len(tr.queue) > 0 {
		top := heap.Pop(&tr.queue).(waits)
		if now := tr.pairs[top.pair]; top.count != now {
			// The Rust library would put counts below one back, to end at them.
			top.count = now
			heap.Push(&tr.queue, top)
			continue
		}
		if top.count < int64(tr.o.MinFrequency) {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		id, err := tr.token(top.pair)
		if err != nil {
			return err
		}
		for _, word := range top.words {
			tr.merge(word, top.pair, id)
		}
		tr.enqueue()
	}
	return ctx.Err()
}

// token enters the merge of a pair and the token it makes, which may exist.
func (tr *trainer) token(p pairKey) (int32, error) {
	v := tr.m.vocab
	left, right := int32(p>>32), int32(uint32(p))
	text := slices.Concat(v.text(left), v.text(right))
	id := v.id(text)
	if id < 0 {
		id = int32(tr.size)
		if len(v.extra)+len(text) > maxDocument {
			return 0, fmt.Errorf("vocabulary: %w: want at most %d bytes", ErrLimit, maxDocument)
		}
		if err := v.add(text, false, tr.size); err != nil {
			return 0, err
		}
		tr.size++
		tr.lens = append(tr.lens, tr.lens[left]+tr.lens[right])
	}
	tr.m.merges.set(left, right, id, tr.ranks)
	tr.ranks++
	return id, nil
}

// merge merges a pair wherever it is in a word, from the left, and counts the
// pairs that go and come. The count of the pair itself stays, as in the Rust
// library.
func (tr *trainer) merge(word int32, p pairKey, id int32) {
	left, right := int32(p>>32), int32(uint32(p))
	s, n := tr.words[word], tr.counts[word]
	come := func(q pairKey, length int32) {
		if limit := tr.o.MaxTokenLength; limit == 0 || int(length) < limit {
			tr.pairs[q] += n
			tr.note(q, word)
		}
	}
	size := tr.lens[left] + tr.lens[right]
	done := 0 // symbols kept, at the start of s
	for i := 0; i < len(s); i++ {
		if s[i] != left || i+1 == len(s) || s[i+1] != right {
			s[done] = s[i]
			done++
			continue
		}
		if done > 0 {
			before := s[done-1]
			tr.pairs[pairOf(before, left)] -= n
			come(pairOf(before, id), tr.lens[before]+size)
		}
		s[done] = id
		done++
		if i += 1; i+1 < len(s) {
			after := s[i+1]
			tr.pairs[pairOf(right, after)] -= n
			come(pairOf(id, after), size+tr.lens[after])
		}
	}
	tr.words[word] = s[:done]
}
