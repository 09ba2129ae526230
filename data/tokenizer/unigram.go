package tokenizer

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// unigram is the model of Kudo (2018, arXiv 1804.10959): of all ways to cut a word
// into tokens the one with the largest sum of scores (log probabilities in nats).
// Sums are formed from the left in float64 and compared with >, tokens of one
// place from the shortest to the longest, as in the Rust library, because ties
// are common.
type unigram struct {
	vocab        *vocab
	scores       []float64 // by id
	unk          int32
	unkScore     float64 // of a character without a token
	byteFallback bool
	fallback     [256]int32 // <0x00> … <0xFF>, -1 for none
	pieces       *trie
}

// unkPenalty is how much worse than the worst token an unknown character is.
const unkPenalty = 10

// unigram makes the model of what was read.
func (d *modelReader) unigram() (model, error) {
	if d.unkID == nil {
		// The Rust library fails on the first unknown character then.
		return nil, errors.New("unk_id: got none, want the id of a token")
	}
	if n := len(d.scores); *d.unkID < 0 || *d.unkID >= n {
		return nil, fmt.Errorf("unk_id: got %d, want 0 … %d", *d.unkID, n-1)
	}
	return &unigram{vocab: d.m.vocab, scores: d.scores, unk: int32(*d.unkID), byteFallback: d.m.byteFallback}, nil
}

func (m *unigram) tokens() *vocab { return m.vocab }

func (m *unigram) finish(bool) (err error) {
	m.unkScore = slices.Min(m.scores) - unkPenalty
	for b := range m.fallback {
		m.fallback[b] = m.vocab.id(fmt.Appendf(nil, "<0x%02X>", b))
	}
	m.pieces, err = newTrie(m.vocab, "")
	return err
}

func (m *unigram) appendWord(w *worker, dst []int32, word string) []int32 {
	return appendCached(m, w, dst, word)
}

func (m *unigram) independent(word string) int { return len(word) }

// step is the best way to a byte of the word: the sum of scores, and the last
// token, which starts at byte from.
type step struct {
	score float64
	from  int32 // -1 where no token ends
	id    int32
}

func (s *step) offer(score float64, from int, id int32) {
	if s.from < 0 || score > s.score {
		*s = step{score, int32(from), id}
	}
}

func (m *unigram) parts(w *worker, word string) {
	w.ids, w.lens = w.ids[:0], w.lens[:0]
	for len(word) > math.MaxInt32/2 { // positions are int32; the Rust library has no such limit
		m.walk(w, word[:math.MaxInt32/2])
		word = word[math.MaxInt32/2:]
	}
	m.walk(w, word)
}

// walk finds the best way and appends its tokens.
func (m *unigram) walk(w *worker, word string) {
	w.steps = grown(w.steps, len(word)+1)
	best := w.steps
	for i := range best {
		best[i].from = -1
	}
	best[0].score = 0
	for start := 0; start < len(word); {
		till := best[start].score
		_, size := utf8.DecodeRuneInString(word[start:])
		alone := false // a token stands for the character alone
		node := int32(0)
		for i := start; i < len(word); i++ {
			if node = m.pieces.child(node, word[i]); node < 0 {
				break
			}
			if id := m.pieces.ids[node]; id >= 0 {
				best[i+1].offer(m.scores[id]+till, start, id)
				alone = alone || i+1-start == size
			}
		}
		if !alone {
			best[start+size].offer(m.unkScore+till, start, m.unk)
		}
		start += size
	}
	m.collect(w, word)
}

// collect appends the tokens of the best way; unknown ones side by side are one.
func (m *unigram) collect(w *worker, word string) {
	// The links lead back; turn them around in place: from becomes where the
	// token that starts here ends.
	best := w.steps
	end, id := int32(-1), int32(-1)
	for at := int32(len(word)); at >= 0; {
		from, own := best[at].from, best[at].id
		best[at].from, best[at].id = end, id
		end, id = at, own
		at = from
	}
	for at := int32(0); int(at) < len(word); {
		end, id := best[at].from, best[at].id
		if id == m.unk {
			for int(end) < len(word) && best[end].id == m.unk {
				end = best[end].from
			}
			m.unknown(w, word[at:end])
		} else {
			w.ids, w.lens = append(w.ids, id), append(w.lens, end-at)
		}
		at = end
	}
}

// unknown appends what stands for text without a token: its bytes, each of which
// covers the whole text, if all have a token, or the unknown token.
func (m *unigram) unknown(w *worker, text string) {
	id := m.vocab.id(view(text))
	if id < 0 && m.byteFallback && m.hasBytes(text) {
		n := int32(len(text))
		for i := 0; i < len(text); i++ {
			w.ids, w.lens = append(w.ids, m.fallback[text[i]]), append(w.lens, n)
			n = 0
		}
		return
	}
	if id < 0 {
		id = m.unk
	}
	w.ids, w.lens = append(w.ids, id), append(w.lens, int32(len(text)))
}

func (m *unigram) hasBytes(text string) bool {
	for i := 0; i < len(text); i++ {
		if m.fallback[text[i]] < 0 {
			return false
		}
	}
	return true
}

func (m *unigram) write(b *bufio.Writer) error {
	fmt.Fprintf(b, "  \"model\": {\n    \"type\": \"Unigram\",\n    \"unk_id\": %d,\n    \"byte_fallback\": %t,\n    \"vocab\": [", m.unk, m.byteFallback)
	for id, score := range m.scores {
		text, err := marshal(str(m.vocab.text(int32(id))))
		if err != nil {
			return err
		}
		sep := ",\n"
		if id == 0 {
			sep = "\n"
		}
		fmt.Fprintf(b, "%s      [%s, %v]", sep, text, score)
	}
	b.WriteString("\n    ]\n  }")
	return nil
}
