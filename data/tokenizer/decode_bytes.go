package tokenizer

import "unicode/utf8"

// byteLevelDecoder turns GPT-2's stand-ins into bytes and joins all tokens; bytes
// that are not UTF-8 become U+FFFD.
type byteLevelDecoder struct{}

func (byteLevelDecoder) start(fused bool, next sink) (sink, bool) {
	s := &byteText{next: next}
	if fused { // stand-ins count only if the whole token consists of them
		return &mapper{next: s, fused: true, fn: func(dst, token []byte, _ bool) []byte { return append(dst, token...) }}, true
	}
	return s, true
}

// byteText passes complete characters on.
type byteText struct {
	next sink
	held []byte // the start of a character, then the bytes of the token at hand
	buf  []byte
}

func (s *byteText) token(b []byte) {
	s.held = appendUnmapped(s.held, str(b))
	done := len(s.held) - incomplete(s.held)
	s.pass(s.held[:done])
	s.held = append(s.held[:0], s.held[done:]...)
}

func (s *byteText) flush() {
	s.pass(s.held)
	s.held = s.held[:0]
	s.next.flush()
}

func (s *byteText) pass(b []byte) {
	if len(b) == 0 {
		return
	}
	if !utf8.Valid(b) {
		s.buf = appendLossy(s.buf[:0], b)
		b = s.buf
	}
	s.next.token(b)
}

// incomplete is the number of bytes at the end of b that may be the start of a
// character.
func incomplete(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		c := b[len(b)-n]
		if c < 0x80 {
			return 0
		}
		if c >= 0xC0 { // the first byte of a character
			if subpart(b[len(b)-n:]) == n && !utf8.FullRune(b[len(b)-n:]) {
				return n
			}
			return 0
		}
	}
	return 0
}

// appendLossy appends b with U+FFFD for each maximal subpart of a character that
// is not complete (Unicode 3.9, as String::from_utf8_lossy).
func appendLossy(dst, b []byte) []byte {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			dst = utf8.AppendRune(dst, utf8.RuneError)
			b = b[max(subpart(b), 1):]
			continue
		}
		dst = append(dst, b[:n]...)
		b = b[n:]
	}
	return dst
}

// subpart is the length of the longest start of b that some character starts
// with, 0 if none does.
func subpart(b []byte) int {
	lo, hi, size := byte(0x80), byte(0xBF), 0
	switch c := b[0]; {
	case c < 0x80:
		return 1
	case c >= 0xC2 && c <= 0xDF:
		size = 2
	case c >= 0xE0 && c <= 0xEF:
		size = 3
	case c >= 0xF0 && c <= 0xF4:
		size = 4
	default:
		return 0
	}
	switch b[0] { // the second byte is narrower for some
	case 0xE0:
		lo = 0xA0
	case 0xED:
		hi = 0x9F
	case 0xF0:
		lo = 0x90
	case 0xF4:
		hi = 0x8F
	}
	n := 1
	for n < size && n < len(b) && b[n] >= lo && b[n] <= hi {
		n++
		lo, hi = 0x80, 0xBF
	}
	return n
}

// byteFallback turns runs of tokens <0x00> … <0xFF> into the text that their
// bytes spell, or into a U+FFFD each if they spell none.
type byteFallback struct{}

func (byteFallback) start(fused bool, next sink) (sink, bool) {
	return &byteRuns{next: next, fused: fused}, fused
}

type byteRuns struct {
	next  sink
	fused bool
	held  []byte // bytes of the run; it is all or nothing, so none can go early
	whole []byte // the one token, behind a fusing step
}

func (s *byteRuns) token(b []byte) {
	if s.fused {
		s.whole = append(s.whole, b...)
		return
	}
	if v, ok := byteToken(b); ok {
		s.held = append(s.held, v)
		return
	}
	s.release()
	s.next.token(b)
}

func (s *byteRuns) flush() {
	if s.fused && len(s.whole) > 0 {
		s.fused = false
		s.token(s.whole)
		s.fused, s.whole = true, s.whole[:0]
	}
	s.release()
	s.next.flush()
}

func (s *byteRuns) release() {
	switch {
	case len(s.held) == 0:
	case utf8.Valid(s.held):
		s.next.token(s.held)
	default:
		for range s.held {
			s.next.token([]byte("\uFFFD"))
		}
	}
	s.held = s.held[:0]
}

// byteToken is the byte that a token like <0x0A> stands for.
func byteToken(b []byte) (byte, bool) {
	if len(b) != 6 || string(b[:3]) != "<0x" || b[5] != '>' {
		return 0, false
	}
	hi, lo := hexDigit(b[3]), hexDigit(b[4])
	if hi < 0 || lo < 0 {
		return 0, false
	}
	return byte(hi<<4 | lo), true
}

func hexDigit(b byte) int {
	switch c := lower(b); {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
