package tokenizer

import (
	"bufio"
	"fmt"
)

// wordLevel is the model that knows whole words only.
type wordLevel struct {
	vocab   *vocab
	unk     int32
	unkText string
}

func (m *wordLevel) tokens() *vocab { return m.vocab }

func (m *wordLevel) finish(bool) (err error) {
	m.unk, err = unknownID(m.vocab, m.unkText)
	return err
}

// unknownID is the id of the token for unknown words. Without one the Rust library
// fails on the first unknown word, so there must be one.
func unknownID(v *vocab, text string) (int32, error) {
	id := v.id(view(text))
	if id < 0 {
		return 0, fmt.Errorf("unk_token: got %.40q, want a token of the vocabulary", text)
	}
	return id, nil
}

func (m *wordLevel) appendWord(_ *worker, dst []int32, word string) []int32 {
	return append(dst, m.id(word))
}

func (m *wordLevel) id(word string) int32 {
	if id := m.vocab.id(view(word)); id >= 0 {
		return id
	}
	return m.unk
}

func (m *wordLevel) parts(w *worker, word string) {
	w.ids, w.lens = append(w.ids[:0], m.id(word)), append(w.lens[:0], int32(len(word)))
}

func (m *wordLevel) independent(word string) int { return len(word) }

func (m *wordLevel) write(b *bufio.Writer) error {
	unk, err := marshal(m.unkText)
	fmt.Fprintf(b, "  \"model\": {\n    \"type\": \"WordLevel\",\n    \"unk_token\": %s,\n    \"vocab\": {", unk)
	if err == nil {
		err = m.vocab.write(b)
	}
	b.WriteString("\n    }\n  }")
	return err
}
