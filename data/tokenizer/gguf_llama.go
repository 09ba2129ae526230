package tokenizer

import (
	"cmp"
	"fmt"
	"slices"
	"unicode/utf8"
)

// maxSplits bounds the work of finding merges: the sum of the squared lengths of
// the tokens. Real vocabularies stay below 2^26.
const maxSplits = 1 << 31

// sentencePiece describes a llama model: spaces become visible, unknown
// characters bytes.
func (v *Vocabulary) sentencePiece(m *bpe, doc *written) error {
	type j = map[string]any
	space := j{"type": "Replace", "pattern": j{"String": " "}, "content": metaspace}
	decoders := []any{
		j{"type": "Replace", "pattern": j{"String": metaspace}, "content": " "},
		j{"type": "ByteFallback"},
		j{"type": "Fuse"},
	}
	doc.Normalizer = space
	if v.AddSpacePrefix == nil || *v.AddSpacePrefix {
		doc.Normalizer = j{"type": "Sequence", "normalizers": []any{j{"type": "Prepend", "prepend": metaspace}, space}}
		decoders = append(decoders, j{"type": "Strip", "content": " ", "start": 1, "stop": 0})
	}
	doc.Decoder = j{"type": "Sequence", "decoders": decoders}
	m.fuseUnk, m.byteFallback = true, true
	if m.unkText = v.name(v.UNK); v.UNK == nil {
		if i := slices.Index(v.Types, typeUnknown); i >= 0 {
			m.unkText = v.Tokens[i]
		}
	}
	return v.mergesByScore(m)
}

// split is a token as two tokens.
type split struct {
	score       float32
	lenL, lenR  int32 // characters
	left, right int32
	id          int32
}

// mergesByScore makes a merge of every split of a token into two.
func (v *Vocabulary) mergesByScore(m *bpe) error {
	var all []split
	work := 0
	for id, text := range v.Tokens {
		if v.Scores[id] != v.Scores[id] {
			return fmt.Errorf("tokenizer.ggml.scores[%d]: got NaN", id)
		}
		if m.vocab.id(view(text)) != int32(id) {
			continue // a text that comes twice
		}
		if work += len(text) * len(text); work > maxSplits {
			return fmt.Errorf("tokenizer.ggml.tokens: %w: the tokens are too long", ErrLimit)
		}
		chars := int32(utf8.RuneCountInString(text))
		n := int32(0)
		for i := range text {
			if i > 0 {
				left, right := m.vocab.id(view(text[:i])), m.vocab.id(view(text[i:]))
				if left >= 0 && right >= 0 {
					all = append(all, split{v.Scores[id], n, chars - n, left, right, int32(id)})
				}
			}
			n++
		}
		if len(all) > maxMerges {
			return fmt.Errorf("merges: %w: want at most %d", ErrLimit, maxMerges)
		}
	}
	slices.SortStableFunc(all, func(a, b split) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(b.lenL, a.lenL), cmp.Compare(b.lenR, a.lenR))
	})
	m.merges = newMerges(len(all))
	for rank, s := range all {
		m.merges.set(s.left, s.right, s.id, rank)
	}
	return nil
}
