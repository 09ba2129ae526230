package report

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// shorten takes the middle out of a text of more than limit bytes and says so.
// Both ends stay: a prompt shows its beginning, an answer stands at the end.
func shorten(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	head, tail := limit*3/4, len(text)-limit/4
	for head > 0 && !utf8.RuneStart(text[head]) {
		head--
	}
	for tail < len(text) && !utf8.RuneStart(text[tail]) {
		tail++
	}
	return fmt.Sprintf("%s … [%s bytes left out] … %s", text[:head], formatInt(int64(tail-head)), text[tail:])
}

// label is a name or a value in short, for one line.
func label(text string, limit int) string { return visible(shorten(text, limit)) }

// visible shows control characters as symbols: browsers drop some and would stop
// reading at others.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < ' ':
			return r + '␀'
		case r == 0x7f:
			return '␡'
		case r >= 0x80 && r < 0xa0, r == 0xfffe, r == 0xffff:
			return utf8.RuneError
		}
		return r
	}, text)
}

// escapedLength is about how many bytes text takes in the page.
func escapedLength(text string) int {
	n := len(text)
	for i := range len(text) {
		switch text[i] {
		case '<', '>', '&', '\'', '"', '+':
			n += len("&#34;") - 1
		}
	}
	return n
}
