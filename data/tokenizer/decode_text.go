package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// fuse makes one token of all.
type fuse struct{}

func (fuse) start(_ bool, next sink) (sink, bool) { return passOn{next}, true }

type passOn struct{ next sink }

func (s passOn) token(b []byte) { s.next.token(b) }
func (s passOn) flush()         { s.next.flush() }

// start makes the decoder of Metaspace: marks become spaces, and those of the
// first token vanish if one was put before the text.
func (s *metaspaces) start(fused bool, next sink) (sink, bool) {
	fn := func(dst, token []byte, isFirst bool) []byte {
		space := " "
		if isFirst && s.scheme != never {
			space = ""
		}
		return appendReplaced(dst, token, s.mark, space)
	}
	return &mapper{next: next, fn: fn, fused: fused}, fused
}

// start makes the decoder of Replace.
func (n *replace) start(fused bool, next sink) (sink, bool) {
	fn := func(dst, token []byte, _ bool) []byte {
		if n.literal != "" {
			return appendReplaced(dst, token, n.literal, n.content)
		}
		w := &worker{}
		for _, m := range n.pattern.find(w, str(token), nil) {
			if m.hit {
				dst = append(dst, n.content...)
			} else {
				dst = append(dst, token[m.start:m.end]...)
			}
		}
		return dst
	}
	return &mapper{next: next, fn: fn, fused: fused}, fused
}

func appendReplaced(dst, b []byte, old, with string) []byte {
	for {
		i := bytes.Index(b, view(old))
		if i < 0 {
			return append(dst, b...)
		}
		dst = append(append(dst, b[:i]...), with...)
		b = b[i+len(old):]
	}
}

// stripDecoder removes up to a number of a character from the ends of each token.
type stripDecoder struct {
	content []byte
	head    int
	tail    int
}

// maxStrip bounds the numbers of stripDecoder.
const maxStrip = 1 << 16

func parseStripDecoder(raw json.RawMessage) (decoder, error) {
	var fields struct {
		Content string `json:"content"`
		Start   int    `json:"start"`
		Stop    int    `json:"stop"`
	}
	if err := decode(raw, &fields); err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(fields.Content) != 1 {
		return nil, fmt.Errorf("content: got %.40q, want one character", fields.Content)
	}
	if fields.Start < 0 || fields.Start > maxStrip || fields.Stop < 0 || fields.Stop > maxStrip {
		return nil, fmt.Errorf("start, stop: got %d, %d, want 0 … %d", fields.Start, fields.Stop, maxStrip)
	}
	return &stripDecoder{[]byte(fields.Content), fields.Start, fields.Stop}, nil
}

func (d *stripDecoder) start(fused bool, next sink) (sink, bool) {
	if fused {
		return &stripText{next: next, stripDecoder: d, left: d.head}, true
	}
	fn := func(dst, token []byte, _ bool) []byte {
		for n := d.head; n > 0 && bytes.HasPrefix(token, d.content); n-- {
			token = token[len(d.content):]
		}
		for n := d.tail; n > 0 && bytes.HasSuffix(token, d.content); n-- {
			token = token[:len(token)-len(d.content)]
		}
		return append(dst, token...)
	}
	return &mapper{next: next, fn: fn}, false
}

// stripText strips one token that comes in parts. Parts are whole characters.
type stripText struct {
	*stripDecoder
	next sink
	left int    // how many may still be removed at the start
	held []byte // characters at the end that may have to go
}

func (s *stripText) token(b []byte) {
	for s.left > 0 && len(b) > 0 {
		if !bytes.HasPrefix(b, s.content) {
			s.left = 0
			break
		}
		b = b[len(s.content):]
		s.left--
	}
	if s.tail == 0 {
		if len(b) > 0 {
			s.next.token(b)
		}
		return
	}
	s.held = append(s.held, b...)
	keep := len(s.held)
	for n := 0; n < s.tail && bytes.HasSuffix(s.held[:keep], s.content); n++ {
		keep -= len(s.content)
	}
	if keep > 0 {
		s.next.token(s.held[:keep])
		s.held = append(s.held[:0], s.held[keep:]...)
	}
}

func (s *stripText) flush() {
	n := len(s.held) / len(s.content)
	if n > s.tail {
		s.next.token(s.held[:(n-s.tail)*len(s.content)])
	}
	s.held = s.held[:0]
	s.left = s.head
	s.next.flush()
}
