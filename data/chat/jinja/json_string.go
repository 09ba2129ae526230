package jinja

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// text reads a string behind its opening quote.
func (r *jsonReader) text() string {
	start := r.pos
	for i := r.pos; i < len(r.s); i++ {
		switch c := r.s[i]; {
		case c == '"':
			r.pos = i + 1
			return r.s[start:i]
		case c == '\\':
			return r.escaped(start, i)
		case c < 0x20:
			r.pos = i
			r.fail("a control character in a string")
			return ""
		}
	}
	r.fail("a string without end")
	return ""
}

// escaped goes on reading a string from its first backslash.
func (r *jsonReader) escaped(start, i int) string {
	out := []byte(r.s[start:i])
	for r.pos = i; r.pos < len(r.s); {
		c := r.s[r.pos]
		r.pos++
		switch {
		case c == '"':
			return string(out)
		case c == '\\':
			out = r.escape(out)
		case c < 0x20:
			r.fail("a control character in a string")
			return ""
		default:
			out = append(out, c)
		}
	}
	r.fail("a string without end")
	return ""
}

// escape reads one escape behind its backslash.
func (r *jsonReader) escape(out []byte) []byte {
	if r.pos >= len(r.s) {
		return out
	}
	c := r.s[r.pos]
	r.pos++
	if at := strings.IndexByte(`"\/bfnrt`, c); at >= 0 {
		return append(out, "\"\\/\b\f\n\r\t"[at])
	}
	if c != 'u' {
		r.fail("an unknown escape \\%c", c)
		return out
	}
	code := r.hex()
	if utf16.IsSurrogate(code) {
		if strings.HasPrefix(r.s[r.pos:], `\u`) {
			mark := r.pos
			r.pos += 2
			if pair := utf16.DecodeRune(code, r.hex()); pair != utf8.RuneError {
				return utf8.AppendRune(out, pair)
			}
			if r.err == nil {
				r.pos = mark
			}
		}
		code = utf8.RuneError
	}
	return utf8.AppendRune(out, code)
}

func (r *jsonReader) hex() rune {
	if r.pos+4 > len(r.s) {
		r.fail("a \\u escape that is too short")
		return 0
	}
	n, err := strconv.ParseUint(r.s[r.pos:r.pos+4], 16, 16)
	if err != nil {
		r.fail("a \\u escape that is not hexadecimal")
		return 0
	}
	r.pos += 4
	return rune(n)
}
