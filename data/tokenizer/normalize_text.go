package tokenizer

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"
)

// prepend puts a string before a text that is not empty. The first character of
// the text lends its origin to the string.
type prepend struct {
	Prepend string `json:"prepend"`
}

func (n prepend) normalize(w *worker, p piece) piece {
	if p.text == "" {
		return p
	}
	b := w.normal.next(w.track, len(p.text))
	b.prepend(n.Prepend, p)
	return b.piece(p.base)
}

// prepend writes s and then p, which is not empty.
func (b *buffer) prepend(s string, p piece) {
	_, first := utf8.DecodeRuneInString(p.text)
	b.write(s, p.originIf(b.track, 0))
	b.write(p.text[:first], p.originIf(b.track, first-1))
	b.copy(p, first, len(p.text))
}

// originIf is origin where it is asked for.
func (p piece) originIf(track bool, i int) span {
	if !track {
		return span{}
	}
	return p.origin(i)
}

// replace replaces every match of a pattern.
type replace struct {
	pattern pattern
	literal string // the pattern, if it is plain text
	content string
}

func parseReplace(raw json.RawMessage, f *faults) (*replace, error) {
	var fields struct {
		Pattern json.RawMessage `json:"pattern"`
		Content string          `json:"content"`
	}
	if err := decode(raw, &fields); err != nil {
		return nil, err
	}
	pat, literal, err := parsePattern(fields.Pattern, f)
	if err != nil {
		return nil, err
	}
	return &replace{pattern: pat, literal: literal, content: fields.Content}, nil
}

func (n *replace) normalize(w *worker, p piece) piece {
	if n.literal != "" {
		return n.normalizeLiteral(w, p)
	}
	w.matches = n.pattern.find(w, p.text, w.matches[:0])
	b := w.normal.next(w.track, len(p.text))
	for _, m := range w.matches {
		if !m.hit {
			b.copy(p, m.start, m.end)
			continue
		}
		o := span{p.originStart(), p.originStart()}
		if m.end > 0 && b.track {
			o = p.origin(m.end - 1)
		}
		b.write(n.content, o)
	}
	return b.piece(p.base)
}

// normalizeLiteral is normalize for plain text, without a list of matches.
func (n *replace) normalizeLiteral(w *worker, p piece) piece {
	next := strings.Index(p.text, n.literal)
	if next < 0 {
		return p
	}
	b := w.normal.next(w.track, len(p.text))
	done := 0
	for next >= 0 {
		start := done + next
		b.copy(p, done, start)
		done = start + len(n.literal)
		b.write(n.content, p.originIf(b.track, done-1))
		next = strings.Index(p.text[done:], n.literal)
	}
	b.copy(p, done, len(p.text))
	return b.piece(p.base)
}

// strip removes white space at the ends.
type strip struct {
	Left  bool `json:"strip_left"`
	Right bool `json:"strip_right"`
}

func (n strip) normalize(_ *worker, p piece) piece {
	s := span{0, len(p.text)}
	for n.Left && s.start < s.end {
		c, size := at(p.text, s.start)
		if !spaces.has(c) {
			break
		}
		s.start += size
	}
	for n.Right && s.end > s.start {
		last := lastRune(p.text, s.end)
		if c, _ := at(p.text, last); !spaces.has(c) {
			break
		}
		s.end = last
	}
	return p.sub(s)
}

// lowercase maps each character to lower case by Unicode's full mapping, which
// is one character in every case but one.
type lowercase struct{}

func (lowercase) normalize(w *worker, p piece) piece {
	i := 0
	for i < len(p.text) && p.text[i] < utf8.RuneSelf && (p.text[i] < 'A' || p.text[i] > 'Z') {
		i++
	}
	if i == len(p.text) {
		return p
	}
	b := w.normal.next(w.track, len(p.text))
	for i, size := 0, 0; i < len(p.text); i += size {
		var r rune
		r, size = utf8.DecodeRuneInString(p.text[i:])
		low := toLower(r)
		switch {
		case r == 'İ':
			b.write("i̇", p.originIf(b.track, i))
		case low != r:
			n := len(b.text)
			b.text = utf8.AppendRune(b.text, low)
			b.fill(len(b.text)-n, p.originIf(b.track, i))
		default:
			b.copy(p, i, i+size)
		}
	}
	return b.piece(p.base)
}

// toLower is the simple lower case of r by Unicode 17, whose letters since Unicode
// 15 are not yet in Go's tables.
func toLower(r rune) rune {
	switch {
	case r >= 0x10D50 && r <= 0x10D65: // Garay
		return r + 0x20
	case r >= 0x16EA0 && r <= 0x16EB8: // Beria Erfe
		return r + 0x1B
	}
	switch r {
	case 0x1C89, 0xA7CC, 0xA7CE, 0xA7D2, 0xA7D4, 0xA7DA:
		return r + 1
	case 0xA7CB:
		return 0x264
	case 0xA7DC:
		return 0x19B
	}
	return unicode.ToLower(r)
}

// without removes the characters of a set, none of which is in ASCII.
type without struct{ set ranges }

func (n without) normalize(w *worker, p piece) piece {
	next := n.find(p.text, 0)
	if next == len(p.text) {
		return p
	}
	b := w.normal.next(w.track, len(p.text))
	for done := 0; ; {
		b.copy(p, done, next)
		if next == len(p.text) {
			return b.piece(p.base)
		}
		_, size := utf8.DecodeRuneInString(p.text[next:])
		done = next + size
		next = n.find(p.text, done)
	}
}

// find is the first character of the set at or after i, or the end.
func (n without) find(s string, i int) int {
	for i < len(s) {
		if s[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if n.set.has(r) {
			break
		}
		i += size
	}
	return i
}

// byteLevelNormalizer puts GPT-2's stand-ins for the bytes of a text.
type byteLevelNormalizer struct{}

func (byteLevelNormalizer) normalize(w *worker, p piece) piece {
	b := w.normal.next(w.track, len(p.text))
	b.mapBytes(p, 0, len(p.text))
	return b.piece(p.base)
}

// mapBytes writes the stand-ins of bytes [start, end) of p.
func (b *buffer) mapBytes(p piece, start, end int) {
	for i := start; i < end; i++ {
		n := len(b.text)
		b.text = utf8.AppendRune(b.text, byteRune(p.text[i]))
		b.fill(len(b.text)-n, p.originIf(b.track, i))
	}
}
