package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// wrapper wraps one paragraph as Python's textwrap does with expand_tabs and
// replace_whitespace off.
type wrapper struct {
	x                  *exec
	width              int // in code points
	breakLong, hyphens bool
}

// wrap returns the lines of a paragraph without white space at their ends.
func (w *wrapper) wrap(s string) []string {
	chunks := w.chunks(s)
	var lines []string
	for len(chunks) > 0 {
		if len(lines) > 0 && blank(chunks[0]) {
			chunks = chunks[1:]
			if len(chunks) == 0 {
				break
			}
		}
		var line []string
		room := w.width
		for len(chunks) > 0 && w.size(chunks[0]) <= room {
			room -= w.size(chunks[0])
			line = append(line, chunks[0])
			chunks = chunks[1:]
		}
		if len(chunks) > 0 && w.size(chunks[0]) > w.width {
			line, chunks = w.long(line, chunks, room)
		}
		if n := len(line); n > 0 && blank(line[n-1]) {
			line = line[:n-1]
		}
		if len(line) > 0 {
			lines = append(lines, strings.Join(line, ""))
		}
	}
	return lines
}

// size is the length of a chunk in code points.
func (w *wrapper) size(s string) int {
	w.x.work(len(s))
	return utf8.RuneCountInString(s)
}

// long places a chunk that fits on no line: cut if that is allowed, else on a
// line of its own.
func (w *wrapper) long(line, chunks []string, room int) (l, rest []string) {
	if w.breakLong {
		chunk := chunks[0]
		cut := byteOffset(chunk, room)
		if w.hyphens && w.size(chunk) > room {
			if at := strings.LastIndexByte(chunk[:cut], '-'); at > 0 && strings.Trim(chunk[:at], "-") != "" {
				cut = at + 1
			}
		}
		chunks[0] = chunk[cut:]
		return append(line, chunk[:cut]), chunks
	}
	if len(line) == 0 {
		return chunks[:1], chunks[1:]
	}
	return line, chunks
}

// chunks cuts s into words and the white space between them; words also break
// behind hyphens that stand between letters, and around dashes of two or more.
func (w *wrapper) chunks(s string) []string {
	var out []string
	for s != "" {
		n := run(s, isWrapSpace)
		if n == 0 {
			n = run(s, func(r rune) bool { return !isWrapSpace(r) })
			if w.hyphens {
				out = append(out, hyphenParts(s[:n])...)
				s = s[n:]
				continue
			}
		}
		out = append(out, s[:n])
		s = s[n:]
	}
	return out
}

// isWrapSpace is white space for textwrap: ASCII only.
func isWrapSpace(r rune) bool { return strings.ContainsRune("\t\n\x0b\x0c\r ", r) }

func run(s string, in func(rune) bool) int {
	return len(s) - len(strings.TrimLeftFunc(s, in))
}

// hyphenParts cuts a word where textwrap lets it break: behind a hyphen with two
// letters (or letter, hyphen, letter) before it and the same behind it, and around
// longer dashes between words.
func hyphenParts(word string) []string {
	var out []string
	runes := []rune(word)
	start, offset := 0, 0
	for i := 0; i < len(runes); {
		if runes[i] != '-' {
			offset += utf8.RuneLen(runes[i])
			i++
			continue
		}
		n := run(word[offset:], func(r rune) bool { return r == '-' })
		switch {
		case n == 1 && breaks(runes, i):
			out = append(out, word[start:offset+1])
			start = offset + 1
		case n > 1 && i > 0 && wordOrSign(runes[i-1]) && i+n < len(runes) && isWordRune(runes[i+n]):
			out = append(out, word[start:offset], word[offset:offset+n])
			start = offset + n
		}
		offset += n
		i += n
	}
	if start < len(word) {
		out = append(out, word[start:])
	}
	return out
}

// breaks reports whether a line may end behind the hyphen at i.
func breaks(s []rune, i int) bool {
	letter := func(i int) bool { return i >= 0 && i < len(s) && isWordRune(s[i]) && !unicode.IsDigit(s[i]) }
	hyphen := func(i int) bool { return i >= 0 && i < len(s) && s[i] == '-' }
	before := letter(i-1) && (letter(i-2) || hyphen(i-2) && letter(i-3))
	return before && letter(i+1) && (letter(i+2) || hyphen(i+2) && letter(i+3))
}

func wordOrSign(r rune) bool { return isWordRune(r) || strings.ContainsRune(`!"'&.,?`, r) }
