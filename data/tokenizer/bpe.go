package tokenizer

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// metaspace is SentencePiece's visible space U+2581.
const metaspace = "▁"

// bpe is byte-pair encoding (Sennrich et al., 2016): the symbols of a word, at
// first its characters, are merged pair by pair, the pair of lowest rank and
// there the leftmost first.
type bpe struct {
	vocab          *vocab
	merges         merges
	unk            int32 // -1 for none: unknown characters are dropped
	unkText        string
	fuseUnk        bool
	byteFallback   bool
	ignoreMerges   bool       // a word that is a token is that token
	prefix, suffix string     // of symbols inside and at the end of a word
	prefixSeen     bool       // while reading
	fallback       [256]int32 // <0x00> … <0xFF>, -1 for none

	// mapped says that words come as plain bytes and single is in use: the id of
	// each byte alone, at the start, inside and at the end of a word (the four
	// differ only where the model has a prefix or suffix).
	mapped bool
	single [4][256]int32

	// atSpaces says that a long text may be cut before a metaspace, and the
	// pieces remembered, without changing any id: behind any byte but those that
	// end the left side of a merge with a metaspace on its right.
	atSpaces bool
	joins    [256]bool
}

func (m *bpe) tokens() *vocab { return m.vocab }

// finish grants words as plain bytes only if every byte has a symbol.
func (m *bpe) finish(mapped bool) error {
	for b := range m.fallback {
		m.fallback[b] = m.vocab.id(fmt.Appendf(nil, "<0x%02X>", b))
	}
	m.mapped = mapped && m.fillSingle()
	if m.unkText != "" {
		if m.unk = m.vocab.id(view(m.unkText)); m.unk < 0 && !m.mapped {
			return fmt.Errorf("unk_token: got %.40q, want a token of the vocabulary", m.unkText)
		}
	} else {
		m.unk = -1
	}
	m.atSpaces = !m.mapped && !m.ignoreMerges && m.prefix == "" && m.suffix == "" && !m.drops() &&
		m.vocab.id(view(metaspace)) >= 0
	m.joins = m.merges.joinSpaces(m.vocab)
	return nil
}

// drops says whether a character may be left out because no token stands for it.
func (m *bpe) drops() bool {
	return m.unk < 0 && (!m.byteFallback || slices.Min(m.fallback[:]) < 0)
}

// fillSingle fills single; false means that a byte has no symbol.
func (m *bpe) fillSingle() bool {
	var buf []byte
	for kind := range m.single {
		start, end := kind&1 != 0, kind&2 != 0
		for b := range m.single[kind] {
			buf = m.appendSymbol(buf[:0], string(byteRune(byte(b))), start, end)
			id := m.vocab.id(buf)
			if id < 0 {
				return false
			}
			m.single[kind][b] = id
		}
	}
	return true
}

// appendSymbol appends how a character is spelled as a symbol.
func (m *bpe) appendSymbol(dst []byte, char string, start, end bool) []byte {
	if !start {
		dst = append(dst, m.prefix...)
	}
	dst = append(dst, char...)
	if end {
		dst = append(dst, m.suffix...)
	}
	return dst
}

func (m *bpe) appendWord(w *worker, dst []int32, word string) []int32 {
	if len(word) <= cacheMaxWord {
		k := pack(word)
		if hit := w.cache.get(&k, len(word)); hit != nil {
			if hit.n == 1 {
				return append(dst, hit.ids[0])
			}
			return append(dst, hit.ids[:hit.n]...)
		}
		start := len(dst)
		m.parts(w, word)
		dst = append(dst, w.ids...)
		w.cache.put(&k, len(word), dst[start:])
		return dst
	}
	for end := m.independent(word); end < len(word); end = m.independent(word) {
		dst = m.appendWord(w, dst, word[:end])
		word = word[end:]
	}
	m.parts(w, word)
	return append(dst, w.ids...)
}

// independent cuts before the first metaspace behind a byte that no merge joins
// with it.
func (m *bpe) independent(word string) int {
	if !m.atSpaces {
		return len(word)
	}
	for i := 1; i < len(word); {
		next := strings.Index(word[i:], metaspace)
		if next < 0 {
			break
		}
		if i += next; !m.joins[word[i-1]] {
			return i
		}
		i += len(metaspace)
	}
	return len(word)
}

func (m *bpe) parts(w *worker, word string) {
	w.ids, w.lens = w.ids[:0], w.lens[:0]
	if m.ignoreMerges {
		key := view(word)
		if m.mapped {
			w.key = appendMapped(w.key[:0], word)
			key = w.key
		}
		if id := m.vocab.id(key); id >= 0 {
			w.ids, w.lens = append(w.ids, id), append(w.lens, int32(len(word)))
			return
		}
	}
	if m.mapped {
		m.bytes(w, word)
	} else {
		m.chars(w, word)
	}
	m.merges.apply(w)
}

// bytes makes every byte of the word a symbol.
func (m *bpe) bytes(w *worker, word string) {
	for i := 0; i < len(word); i++ {
		kind := 0
		if i == 0 {
			kind = 1
		}
		if i == len(word)-1 {
			kind |= 2
		}
		w.ids, w.lens = append(w.ids, m.single[kind][word[i]]), append(w.lens, 1)
	}
}

// chars makes every character of the word a symbol; one without a token becomes
// its bytes, if the model has them all, or the unknown token.
func (m *bpe) chars(w *worker, word string) {
	unk := int32(0) // bytes of the unknown token that is not yet added
	flush := func() {
		if unk > 0 {
			w.ids, w.lens = append(w.ids, m.unk), append(w.lens, unk)
			unk = 0
		}
	}
	for i, n := 0, 0; i < len(word); i += n {
		_, n = utf8.DecodeRuneInString(word[i:])
		symbol := view(word[i : i+n])
		if m.prefix != "" || m.suffix != "" {
			w.key = m.appendSymbol(w.key[:0], word[i:i+n], i == 0, i+n == len(word))
			symbol = w.key
		}
		size := int32(n)
		if id := m.vocab.id(symbol); id >= 0 {
			flush()
			w.ids, w.lens = append(w.ids, id), append(w.lens, size)
			continue
		}
		if m.byteFallback && m.appendBytes(w, symbol) {
			continue
		}
		if m.unk >= 0 {
			if !m.fuseUnk {
				flush()
			}
			unk += size
		}
	}
	flush()
}

// appendBytes makes the bytes of a character symbols, if each has a token. As in
// the Rust library an unknown token that waits is not added before them.
func (m *bpe) appendBytes(w *worker, symbol []byte) bool {
	for _, b := range symbol {
		if m.fallback[b] < 0 {
			return false
		}
	}
	for _, b := range symbol {
		w.ids, w.lens = append(w.ids, m.fallback[b]), append(w.lens, 1)
	}
	return true
}
