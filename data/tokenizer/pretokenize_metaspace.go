package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// metaspaces is SentencePiece's way with spaces: they become visible, one is put
// before the text, and each starts a word.
type metaspaces struct {
	mark   string // what stands for a space
	scheme scheme
	cuts   bool
}

// scheme says which words get a mark put before them.
type scheme uint8

const (
	always scheme = iota
	first         // only at the very start of the text
	never
)

// parseMetaspace reads the fields that the pre-tokenizer and the decoder share.
func parseMetaspace(raw json.RawMessage) (*metaspaces, error) {
	var fields struct {
		Replacement string  `json:"replacement"`
		Scheme      *string `json:"prepend_scheme"`
		AddPrefix   *bool   `json:"add_prefix_space"` // before version 0.15
		Split       *bool   `json:"split"`
	}
	if err := decode(raw, &fields); err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(fields.Replacement) != 1 {
		return nil, fmt.Errorf("replacement: got %.40q, want one character", fields.Replacement)
	}
	m := &metaspaces{mark: fields.Replacement, cuts: fields.Split == nil || *fields.Split}
	if fields.Scheme != nil {
		switch *fields.Scheme {
		case "always":
		case "first":
			m.scheme = first
		case "never":
			m.scheme = never
		default:
			return nil, fmt.Errorf("prepend_scheme: %w: %.40q", ErrUnsupported, *fields.Scheme)
		}
	}
	if fields.AddPrefix != nil && !*fields.AddPrefix {
		if fields.Scheme != nil && m.scheme != never {
			return nil, fmt.Errorf("add_prefix_space: got false with prepend_scheme %q", *fields.Scheme)
		}
		m.scheme = never
	}
	return m, nil
}

func (s *metaspaces) split(w *worker, p piece, in, out []span) (piece, []span) {
	b := w.pre.next(w.track, len(p.text))
	for _, c := range in {
		start := len(b.text)
		s.rewrite(b, p, c)
		if !s.cuts {
			out = append(out, span{start, len(b.text)})
			continue
		}
		w.matches = literalPattern(s.mark).find(w, str(b.text[start:]), w.matches[:0])
		out = mergedWithNext.apply(w.matches, start, out)
	}
	return b.piece(p.base), out
}

// rewrite writes a word with its spaces replaced and the mark put before it.
func (s *metaspaces) rewrite(b *buffer, p piece, c span) {
	word := p.text[c.start:c.end]
	if word == "" {
		return
	}
	starts := word[0] == ' ' || strings.HasPrefix(word, s.mark)
	if !starts && (s.scheme == always || s.scheme == first && p.sub(c).originStart() == 0) {
		b.write(s.mark, p.originIf(b.track, c.start))
	}
	for i := c.start; i < c.end; {
		next := strings.IndexByte(p.text[i:c.end], ' ')
		if next < 0 {
			b.copy(p, i, c.end)
			break
		}
		b.copy(p, i, i+next)
		i += next
		b.write(s.mark, p.originIf(b.track, i))
		i++
	}
}
