package jinja

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// simpleEscapes are the one-letter escapes of Python strings.
var simpleEscapes = map[byte]string{
	'n': "\n", 't': "\t", 'r': "\r", '\\': "\\", '\'': "'", '"': "\"",
	'a': "\a", 'b': "\b", 'f': "\f", 'v': "\v", '\n': "",
}

// unescape decodes the inside of a string literal as Python's unicode-escape
// codec does: unknown escapes stay as they are. Surrogates and \N{names} are
// refused.
func (l *lexer) unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var out strings.Builder
	for {
		at := strings.IndexByte(s, '\\')
		if at < 0 {
			out.WriteString(s)
			return out.String()
		}
		out.WriteString(s[:at])
		s = l.escape(&out, s[at+1:])
	}
}

// escape decodes the escape whose text after the backslash starts s and returns
// the rest. s is not empty: the literal's end is a quote without backslash.
func (l *lexer) escape(out *strings.Builder, s string) string {
	if text, ok := simpleEscapes[s[0]]; ok {
		out.WriteString(text)
		return s[1:]
	}
	switch c := s[0]; c {
	case 'x', 'u', 'U':
		n := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
		if len(s) <= n {
			l.fail("truncated \\%c escape", c)
		}
		code, err := strconv.ParseUint(s[1:1+n], 16, 32)
		if err != nil {
			l.fail("truncated \\%c escape", c)
		}
		if code > utf8.MaxRune || !utf8.ValidRune(rune(code)) {
			l.fail("\\%s is not a character", s[:1+n])
		}
		out.WriteRune(rune(code))
		return s[1+n:]
	case 'N':
		l.fail("\\N{…} escapes are not supported")
	}
	if n := octal(s); n > 0 {
		code, _ := strconv.ParseUint(s[:n], 8, 32) // at most three octal digits
		out.WriteRune(rune(code))
		return s[n:]
	}
	out.WriteByte('\\')
	return s
}

// octal counts the octal digits at the start of s, at most three.
func octal(s string) int {
	n := 0
	for n < len(s) && n < 3 && s[n] >= '0' && s[n] <= '7' {
		n++
	}
	return n
}
