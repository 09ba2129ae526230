package tokenizer

import (
	"slices"
	"unicode/utf8"
)

// span is a byte range [start, end).
type span struct{ start, end int }

// piece is text on its way to the model.
type piece struct {
	text string
	// from is the range of the original text that each byte of text comes from.
	// nil: byte i is byte base+i of the original, or offsets are not tracked.
	from []span
	base int
}

// sub is a part of a piece.
func (p piece) sub(s span) piece {
	q := piece{text: p.text[s.start:s.end], base: p.base + s.start}
	if p.from != nil {
		q.from, q.base = p.from[s.start:s.end], p.base
	}
	return q
}

// origin is the range of the original text that byte i comes from: a whole
// character.
func (p piece) origin(i int) span {
	if p.from != nil {
		return p.from[i]
	}
	start := i
	for start > 0 && i-start < utf8.UTFMax-1 && !utf8.RuneStart(p.text[start]) {
		start--
	}
	_, n := utf8.DecodeRuneInString(p.text[start:])
	if start+n <= i { // not UTF-8
		start, n = i, 1
	}
	return span{p.base + start, p.base + start + n}
}

// originStart is where the original of a piece starts.
func (p piece) originStart() int {
	if len(p.from) > 0 {
		return p.from[0].start
	}
	return p.base
}

// rewriter is where rewritten text goes: two buffers in turn, so that the text
// being rewritten may lie in the one while the result goes to the other.
type rewriter struct {
	buffers [2]buffer
	turn    int
}

// buffer is text with, if tracked, the origin of each byte.
type buffer struct {
	text  []byte
	from  []span
	track bool
}

// next returns the buffer whose turn it is, empty, with room for a little more
// than n bytes.
func (r *rewriter) next(track bool, n int) *buffer {
	r.turn ^= 1
	b := &r.buffers[r.turn]
	n += n/2 + 8
	b.text, b.from, b.track = slices.Grow(b.text[:0], n), b.from[:0], track
	if track {
		b.from = slices.Grow(b.from, n)
	}
	return b
}

func (r *rewriter) size() int {
	return max(cap(r.buffers[0].text), cap(r.buffers[1].text), cap(r.buffers[0].from), cap(r.buffers[1].from))
}

// piece is what was written; base is that of the piece it was made from.
func (b *buffer) piece(base int) piece {
	p := piece{text: str(b.text), base: base}
	if b.track {
		if p.from = b.from; p.from == nil {
			p.from = []span{}
		}
	}
	return p
}

// copy appends bytes [start, end) of p.
func (b *buffer) copy(p piece, start, end int) {
	b.text = append(b.text, p.text[start:end]...)
	if !b.track {
		return
	}
	if p.from != nil {
		b.from = append(b.from, p.from[start:end]...)
		return
	}
	for i := start; i < end; i++ {
		b.from = append(b.from, p.origin(i))
	}
}

// write appends s, all of which comes from o.
func (b *buffer) write(s string, o span) {
	b.text = append(b.text, s...)
	b.fill(len(s), o)
}

func (b *buffer) fill(n int, o span) {
	if b.track {
		for range n {
			b.from = append(b.from, o)
		}
	}
}

// change is a character of a rewritten text. As in the Rust library kind 0
// replaces the next character of the old text, 1 is inserted, and -n replaces
// one and removes the n that follow.
type change struct {
	r    rune
	kind int
}

// transform writes the text that dest describes; skip characters at the start of
// p are removed.
func (b *buffer) transform(p piece, dest []change, skip int) {
	off := 0
	drop := func(n int) {
		for ; n > 0 && off < len(p.text); n-- {
			_, size := utf8.DecodeRuneInString(p.text[off:])
			off += size
		}
	}
	drop(skip)
	for _, c := range dest {
		n := len(b.text)
		b.text = utf8.AppendRune(b.text, c.r)
		if b.track {
			b.fill(len(b.text)-n, p.originFor(c, off))
		}
		if c.kind <= 0 {
			drop(1 - c.kind)
		}
	}
}

// originFor is the origin of a change at byte off of p.
func (p piece) originFor(c change, off int) span {
	switch {
	case c.kind > 0 && off == 0:
		return span{p.originStart(), p.originStart()}
	case c.kind > 0 || off >= len(p.text):
		return p.origin(off - 1)
	}
	return p.origin(off)
}
