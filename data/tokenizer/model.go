package tokenizer

import "bufio"

// model turns words into ids.
type model interface {
	// appendWord appends the ids of a word. A word is a part of the normalised
	// text; for byte-level models it is the text before its bytes are mapped.
	appendWord(w *worker, dst []int32, word string) []int32
	// parts leaves the ids of a word in w.ids and the bytes each covers in
	// w.lens; an id that covers 0 bytes stands for the same ones as the id before
	// it. The sum may fall short of the word where unknown characters are
	// dropped.
	parts(w *worker, word string)
	// independent is the end of a part at the start of the word whose ids do not
	// depend on the rest, nor those of the rest on it.
	independent(word string) int

	// finish computes what follows from the fields of the document. mapped asks
	// for words as plain bytes, which a model need not grant.
	finish(mapped bool) error
	tokens() *vocab
	// write writes the field model of a document; errors of b show when it is
	// flushed.
	write(b *bufio.Writer) error
}

// appendCached appends the ids of a word, which are computed only if w does not
// remember them.
func appendCached(m model, w *worker, dst []int32, word string) []int32 {
	if len(word) > cacheMaxWord {
		m.parts(w, word)
		return append(dst, w.ids...)
	}
	k := pack(word)
	if hit := w.cache.get(&k, len(word)); hit != nil {
		return append(dst, hit.ids[:hit.n]...)
	}
	m.parts(w, word)
	w.cache.put(&k, len(word), w.ids)
	return append(dst, w.ids...)
}
