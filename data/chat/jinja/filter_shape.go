package jinja

import (
	"strings"
	"unicode/utf8"
)

// shapeFilters lay text out.
var shapeFilters = []*builtin{
	{name: "indent", params: []string{"width?", "first?", "blank?"}, fixed: filterIndent},
	{name: "truncate", params: []string{"length?", "killwords?", "end?", "leeway?"}, fixed: filterTruncate},
	{name: "wordwrap", params: []string{"width?", "break_long_words?", "wrapstring?", "break_on_hyphens?"}, fixed: filterWordwrap},
}

// filterIndent indents all lines but the first and the blank ones.
func filterIndent(x *exec, v Value, a []Value) Value {
	s := x.textArg(v, "indent() value")
	var by string
	if text, ok := textOf(orElse(a[0], integer(4))); ok {
		by = text
	} else {
		n := max(x.intArg(a[0], 4), 0)
		x.repeat(n, 1)
		by = strings.Repeat(" ", n)
	}
	x.work(len(s))
	lines := x.lines(s+"\n", false)
	x.repeat(len(lines), len(by))
	x.room(len(s) + len(lines)*len(by))
	var out strings.Builder
	for i, line := range lines {
		if i > 0 {
			out.WriteByte('\n')
		}
		if i == 0 && x.flag(a[1]) || i > 0 && (line != "" || x.flag(a[2])) {
			out.WriteString(by)
		}
		out.WriteString(line)
	}
	return like(v, out.String())
}

func orElse(v, otherwise Value) Value {
	if v == nil {
		return otherwise
	}
	return v
}

// filterTruncate cuts text to a length, at a word's end unless killwords is set.
func filterTruncate(x *exec, v Value, a []Value) Value {
	length, leeway := x.intArg(a[0], 255), 5
	if !isNone(a[3]) {
		leeway = x.intArg(a[3], 5)
	}
	end := x.textArg(orElse(a[2], str("...")), "truncate() end")
	endSize := utf8.RuneCountInString(end)
	if length < endSize {
		x.fail("AssertionError: expected length >= %d, got %d", endSize, length)
	}
	if leeway < 0 {
		x.fail("AssertionError: expected leeway >= 0, got %d", leeway)
	}
	if n, ok := x.size(v); ok && n <= length+leeway {
		return v
	}
	s := x.textArg(v, "truncate() value")
	s = s[:byteOffset(s, length-endSize)]
	if !x.flag(a[1]) {
		if at := strings.LastIndexByte(s, ' '); at >= 0 {
			s = s[:at]
		}
	}
	return x.add(like(v, s), str(end))
}

// filterWordwrap breaks lines that are longer than width.
func filterWordwrap(x *exec, v Value, a []Value) Value {
	s := x.textArg(v, "wordwrap() value")
	w := wrapper{x: x, width: x.intArg(a[0], 79), breakLong: a[1] == nil || x.truth(a[1]), hyphens: a[3] == nil || x.truth(a[3])}
	if w.width <= 0 {
		x.fail("ValueError: invalid width %d (must be > 0)", w.width)
	}
	sep := "\n"
	if !isNone(a[2]) {
		sep = x.textArg(a[2], "wordwrap() wrapstring")
	}
	x.step(len(s))
	x.made(2 * itemBytes * len(s)) // each character may become a chunk
	var lines []string
	for _, paragraph := range x.lines(s, false) {
		lines = append(lines, strings.Join(w.wrap(paragraph), sep))
	}
	x.repeat(len(s), len(sep)+1)
	return str(strings.Join(lines, sep))
}
