package tokenizer

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// maxSplits bounds the work of finding merges: the sum of the squared lengths of
// the tokens. Real vocabularies stay below 2^26.
const maxSplits = 1 << 31

// sentencePiece describes a llama model: spaces become visible, unknown
// characters bytes.
func (v *Vocabulary) sentencePiece(words *vocab, doc *written) (model, error) {
	v.spaces(doc, true)
	m := &bpe{vocab: words, unk: -1, fuseUnk: true, byteFallback: true}
	if m.unkText = v.name(v.UNK); v.UNK == nil {
		if i := slices.Index(v.Types, typeUnknown); i >= 0 {
			m.unkText = v.Tokens[i]
		}
	}
	return m, v.mergesByScore(m)
}

// unigram describes a t5 model.
func (v *Vocabulary) unigram(words *vocab, doc *written) (model, error) {
	m := &unigram{vocab: words, unk: int32(slices.Index(v.Types, typeUnknown)), byteFallback: true}
	if v.UNK != nil {
		m.unk = *v.UNK
	}
	if m.unk < 0 {
		return nil, errors.New("tokenizer.ggml.unknown_token_id: got none, want one")
	}
	for id, score := range v.Scores {
		if math.IsNaN(float64(score)) || math.IsInf(float64(score), 0) {
			return nil, fmt.Errorf("tokenizer.ggml.scores[%d]: got %v", id, score)
		}
		m.scores = append(m.scores, float64(score))
	}
	for b := range numBytes {
		m.byteFallback = m.byteFallback && words.id(fmt.Appendf(nil, "<0x%02X>", b)) >= 0
	}
	words.count = len(v.Tokens) // as in a document
	v.spaces(doc, m.byteFallback)
	return m, nil
}

// spaces describes what SentencePiece does with text before and after its model.
func (v *Vocabulary) spaces(doc *written, byteFallback bool) {
	type j = map[string]any
	replace := func(kind, pattern, content string) any {
		return j{"type": "Replace", "pattern": j{kind: pattern}, "content": content}
	}
	var steps []any
	if len(v.Charsmap) > 0 {
		steps = append(steps, j{"type": "Precompiled", "precompiled_charsmap": v.Charsmap})
	}
	if v.RemoveExtraSpaces != nil && *v.RemoveExtraSpaces {
		steps = append(steps, replace("Regex", `\A +| +\z`, ""), replace("Regex", " {2,}", " "))
	}
	decoders := []any{replace("String", metaspace, " ")}
	if byteFallback {
		decoders = append(decoders, j{"type": "ByteFallback"})
	}
	decoders = append(decoders, j{"type": "Fuse"})
	if v.AddSpacePrefix == nil || *v.AddSpacePrefix {
		steps = append(steps, j{"type": "Prepend", "prepend": metaspace})
		decoders = append(decoders, j{"type": "Strip", "content": " ", "start": 1, "stop": 0})
	}
	doc.Normalizer = replace("String", " ", metaspace)
	if len(steps) > 0 {
		doc.Normalizer = j{"type": "Sequence", "normalizers": append(steps, doc.Normalizer)}
	}
	doc.Decoder = j{"type": "Sequence", "decoders": decoders}
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
