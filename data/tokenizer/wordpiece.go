package tokenizer

import (
	"bufio"
	"fmt"
	"unicode/utf8"
)

// wordPiece is the model of BERT (Schuster and Nakajima, 2012; Devlin et al.,
// 2019): the longest token that the word starts with, then the longest that the
// rest starts with, spelled with a prefix, and so on. A word that leaves a rest
// without a token is unknown as a whole.
type wordPiece struct {
	vocab    *vocab
	unk      int32
	unkText  string
	prefix   string
	maxChars int // longer words are unknown
	head     *trie
	tail     *trie // tokens that start with prefix, without it
}

// wordPiece makes the model of what was read; absent fields have the defaults of
// the Rust library.
func (d *modelReader) wordPiece() *wordPiece {
	m := &wordPiece{vocab: d.m.vocab, unkText: "[UNK]", prefix: "##", maxChars: 100}
	if d.unk != nil {
		m.unkText = *d.unk
	}
	if d.prefix != nil {
		m.prefix = *d.prefix
	}
	if d.maxChars != nil {
		m.maxChars = *d.maxChars
	}
	return m
}

func (m *wordPiece) tokens() *vocab { return m.vocab }

func (m *wordPiece) finish(bool) (err error) {
	if m.unk, err = unknownID(m.vocab, m.unkText); err != nil {
		return err
	}
	if m.head, err = newTrie(m.vocab, ""); err != nil {
		return err
	}
	if m.tail = m.head; m.prefix != "" {
		m.tail, err = newTrie(m.vocab, m.prefix)
	}
	return err
}

func (m *wordPiece) appendWord(w *worker, dst []int32, word string) []int32 {
	return appendCached(m, w, dst, word)
}

func (m *wordPiece) parts(w *worker, word string) {
	w.ids, w.lens = w.ids[:0], w.lens[:0]
	pieces := m.head
	known := len(word) <= m.maxChars || utf8.RuneCountInString(word) <= m.maxChars
	for start := 0; known && start < len(word); pieces = m.tail {
		id, n := pieces.longest(word[start:])
		if known = id >= 0; known {
			w.ids, w.lens = append(w.ids, id), append(w.lens, int32(n))
			start += n
		}
	}
	if !known {
		w.ids, w.lens = append(w.ids[:0], m.unk), append(w.lens[:0], int32(len(word)))
	}
}

func (m *wordPiece) independent(word string) int { return len(word) }

func (m *wordPiece) write(b *bufio.Writer) error {
	unk, err := marshal(m.unkText)
	if err != nil {
		return err
	}
	prefix, err := marshal(m.prefix)
	if err != nil {
		return err
	}
	fmt.Fprintf(b, "  \"model\": {\n    \"type\": \"WordPiece\",\n    \"unk_token\": %s,\n    \"continuing_subword_prefix\": %s,\n"+
		"    \"max_input_chars_per_word\": %d,\n    \"vocab\": {", unk, prefix, m.maxChars)
	err = m.vocab.write(b)
	b.WriteString("\n    }\n  }")
	return err
}
