package jinja

import (
	"fmt"
	"strings"
)

// lexer cuts a template into tokens as Jinja 3.1 does with trim_blocks and
// lstrip_blocks set. It works one step ahead of the parser, so memory is bounded
// by the syntax tree.
type lexer struct {
	name   string
	src    string
	pos    int
	line   int
	closer string // "}}" or "%}" inside a tag, "" outside
	braces []byte // closing brackets that are still to come
	// lineStart says whether the last match ended a line: text that follows
	// starts one, which lstrip_blocks needs to know.
	lineStart bool
	queue     []token
}

// newLexer normalises line ends and drops the last one, as Jinja does.
func newLexer(name, source string) *lexer {
	if strings.IndexByte(source, '\r') >= 0 {
		source = strings.ReplaceAll(strings.ReplaceAll(source, "\r\n", "\n"), "\r", "\n")
	}
	return &lexer{name: name, src: strings.TrimSuffix(source, "\n"), line: 1, lineStart: true}
}

func (l *lexer) fail(format string, args ...any) {
	panic(&Error{Template: l.name, Line: l.line, Message: fmt.Sprintf(format, args...), Kind: ErrTemplate})
}

// next returns the next token.
func (l *lexer) next() token {
	for len(l.queue) == 0 {
		if l.closer != "" {
			l.inside()
		} else {
			l.text()
		}
	}
	t := l.queue[0]
	l.queue = l.queue[1:]
	return t
}

func (l *lexer) emit(k kind, text string) {
	l.queue = append(l.queue, token{k, l.line, text})
}

// skip moves over n bytes and counts their lines.
func (l *lexer) skip(n int) {
	if n == 0 {
		return
	}
	part := l.src[l.pos : l.pos+n]
	l.line += strings.Count(part, "\n")
	l.lineStart = part[n-1] == '\n'
	l.pos += n
}

// text reads template text up to the next tag and opens the tag.
func (l *lexer) text() {
	rest := l.src[l.pos:]
	at := nextTag(rest)
	if at < 0 {
		if rest != "" {
			l.emit(tokData, rest)
			l.skip(len(rest))
		}
		l.emit(tokEOF, "")
		return
	}
	if end := rawBegin(rest[at:]); end > 0 {
		l.data(rest, at, at+2)
		l.skip(at + end)
		l.raw()
		return
	}
	l.data(rest, at, at+2)
	open := rest[at : at+2]
	n := at + 2
	if n < len(rest) && (rest[n] == '-' || rest[n] == '+') {
		n++
	}
	l.skip(n)
	switch open {
	case "{#":
		l.comment()
	case "{{":
		l.emit(tokVarBegin, "")
		l.closer = "}}"
	case "{%":
		l.emit(tokBlockBegin, "")
		l.closer = "%}"
	}
}

// nextTag finds the first "{{", "{%" or "{#".
func nextTag(s string) int {
	for i := 0; ; i++ {
		n := strings.IndexByte(s[i:], '{')
		if n < 0 || i+n+1 >= len(s) {
			return -1
		}
		i += n
		switch s[i+1] {
		case '{', '%', '#':
			return i
		}
	}
}

// data emits the text before a tag, stripped as the tag's sign (at index sign)
// and lstrip_blocks ask.
func (l *lexer) data(rest string, n, sign int) {
	text := rest[:n]
	var c byte
	if sign < len(rest) {
		c = rest[sign]
	}
	switch {
	case c == '-':
		text = strings.TrimRightFunc(text, isSpace)
	case c != '+' && rest[n+1] != '{':
		at := strings.LastIndexByte(text, '\n') + 1
		if (at > 0 || l.lineStart) && strings.TrimLeftFunc(text[at:], isSpace) == "" {
			text = text[:at]
		}
	}
	if text != "" {
		l.emit(tokData, text)
	}
}

// comment moves behind "#}".
func (l *lexer) comment() {
	rest := l.src[l.pos:]
	at := strings.Index(rest, "#}")
	if rest == "" {
		return // Jinja lets a template end behind the opening
	}
	if at < 0 {
		l.fail("Missing end of comment tag")
	}
	l.skip(at + 2 + after(rest, at))
}

// after tells how much text behind the closing tag at index at goes with it:
// white space after '-', nothing after '+', else one line end (trim_blocks).
func after(rest string, at int) int {
	tail := rest[at+2:]
	if at > 0 && rest[at-1] == '-' {
		return len(tail) - len(strings.TrimLeftFunc(tail, isSpace))
	}
	if (at == 0 || rest[at-1] != '+') && strings.HasPrefix(tail, "\n") {
		return 1
	}
	return 0
}

// rawBegin returns the length of a "{% raw %}" that s starts with, or 0.
func rawBegin(s string) int {
	return keywordTag(s, "raw", func(tail string) int {
		if strings.HasPrefix(tail, "-%}") {
			return 3 + len(tail[3:]) - len(strings.TrimLeftFunc(tail[3:], isSpace))
		}
		if strings.HasPrefix(tail, "%}") {
			return 2
		}
		return 0
	})
}

// keywordTag matches "{%", a sign, the word and what end matches.
func keywordTag(s, word string, end func(tail string) int) int {
	if !strings.HasPrefix(s, "{%") {
		return 0
	}
	tail := s[2:]
	if tail != "" && (tail[0] == '-' || tail[0] == '+') {
		tail = tail[1:]
	}
	tail = strings.TrimLeftFunc(tail, isSpace)
	if !strings.HasPrefix(tail, word) {
		return 0
	}
	tail = strings.TrimLeftFunc(tail[len(word):], isSpace)
	n := end(tail)
	if n == 0 {
		return 0
	}
	return len(s) - len(tail) + n
}

// raw emits text up to "{% endraw %}" as it stands.
func (l *lexer) raw() {
	rest := l.src[l.pos:]
	if rest == "" {
		return
	}
	for i := 0; ; i++ {
		n := strings.Index(rest[i:], "{%")
		if n < 0 {
			l.fail("Missing end of raw directive")
		}
		i += n
		end := keywordTag(rest[i:], "endraw", func(tail string) int {
			sign := 0
			if tail != "" && (tail[0] == '-' || tail[0] == '+') {
				sign = 1
			}
			if !strings.HasPrefix(tail[sign:], "%}") {
				return 0
			}
			return sign + 2 + after(tail, sign)
		})
		if end > 0 {
			l.data(rest, i, i+2)
			l.skip(i + end)
			return
		}
	}
}
