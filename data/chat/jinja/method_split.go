package jinja

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// splitMethods cut text up and put it together.
var splitMethods = []*builtin{
	withNames(onText("split", []string{"sep?", "maxsplit?"}, func(x *exec, s string, a []Value) Value {
		n := x.intArg(a[1], -1)
		if isNone(a[0]) {
			x.container(countRunes(s, isSpace))
			return texts(fieldsN(s, n))
		}
		sep := x.separator(a[0])
		x.container(strings.Count(s, sep))
		return texts(splitOn(s, sep, n))
	})),
	withNames(onText("rsplit", []string{"sep?", "maxsplit?"}, func(x *exec, s string, a []Value) Value {
		n := x.intArg(a[1], -1)
		if isNone(a[0]) {
			x.container(countRunes(s, isSpace))
			return texts(lastFieldsN(s, n))
		}
		sep := x.separator(a[0])
		x.container(strings.Count(s, sep))
		return texts(splitLast(s, sep, n))
	})),
	withNames(onText("splitlines", []string{"keepends?"}, func(x *exec, s string, a []Value) Value {
		return texts(x.lines(s, x.flag(a[0])))
	})),
	onText("partition", []string{"sep"}, func(x *exec, s string, a []Value) Value {
		sep := x.separator(a[0])
		if before, after, ok := strings.Cut(s, sep); ok {
			return three(before, sep, after)
		}
		return three(s, "", "")
	}),
	onText("rpartition", []string{"sep"}, func(x *exec, s string, a []Value) Value {
		sep := x.separator(a[0])
		if at := strings.LastIndex(s, sep); at >= 0 {
			return three(s[:at], sep, s[at+len(sep):])
		}
		return three("", "", s)
	}),
	onText("join", []string{"iterable"}, func(x *exec, s string, a []Value) Value {
		items := x.items(a[0])
		for i, item := range items {
			if _, ok := textOf(item); !ok {
				x.fail("TypeError: sequence item %d: expected str instance, %s found", i, item.typeName())
			}
		}
		return str(x.join(s, items))
	}),
}

func (x *exec) separator(v Value) string {
	sep := x.textArg(v, "separator")
	if sep == "" {
		x.fail("ValueError: empty separator")
	}
	x.work(len(sep))
	return sep
}

// lines is splitLines, paid for.
func (x *exec) lines(s string, keep bool) []string {
	x.container(countRunes(s, isLineEnd))
	return splitLines(s, keep)
}

func countRunes(s string, in func(rune) bool) int {
	n := 0
	for _, r := range s {
		if in(r) {
			n++
		}
	}
	return n
}

// texts makes a list of strings, which the caller has paid for.
func texts(parts []string) Value {
	items := make([]Value, len(parts))
	for i, p := range parts {
		items[i] = str(p)
	}
	return &list{items}
}

func three(a, b, c string) Value { return &tuple{items: []Value{str(a), str(b), str(c)}} }

// splitOn cuts at most n times; without bound for n < 0.
func splitOn(s, sep string, n int) []string {
	if n < 0 {
		return strings.Split(s, sep)
	}
	return strings.SplitN(s, sep, n+1)
}

// splitLast cuts at most n times from the end.
func splitLast(s, sep string, n int) []string {
	if n < 0 {
		return strings.Split(s, sep)
	}
	var out []string
	for ; n > 0; n-- {
		at := strings.LastIndex(s, sep)
		if at < 0 {
			break
		}
		out = append(out, s[at+len(sep):])
		s = s[:at]
	}
	out = append(out, s)
	slices.Reverse(out)
	return out
}

// fieldsN splits at white space, at most n times; the rest keeps its end.
func fieldsN(s string, n int) []string {
	if n < 0 {
		return strings.FieldsFunc(s, isSpace)
	}
	var out []string
	for s = strings.TrimLeftFunc(s, isSpace); s != ""; s = strings.TrimLeftFunc(s, isSpace) {
		end := strings.IndexFunc(s, isSpace)
		if n == 0 || end < 0 {
			return append(out, s)
		}
		out = append(out, s[:end])
		s = s[end:]
		n--
	}
	return out
}

// lastFieldsN splits at white space from the end, at most n times.
func lastFieldsN(s string, n int) []string {
	if n < 0 {
		return strings.FieldsFunc(s, isSpace)
	}
	var out []string
	for s = strings.TrimRightFunc(s, isSpace); s != ""; s = strings.TrimRightFunc(s, isSpace) {
		at := strings.LastIndexFunc(s, isSpace)
		if n == 0 || at < 0 {
			out = append(out, s)
			break
		}
		_, width := utf8.DecodeRuneInString(s[at:])
		out = append(out, s[at+width:])
		s = s[:at]
		n--
	}
	slices.Reverse(out)
	return out
}

// splitLines is str.splitlines.
func splitLines(s string, keep bool) []string {
	var out []string
	for s != "" {
		at := strings.IndexFunc(s, isLineEnd)
		if at < 0 {
			return append(out, s)
		}
		_, width := utf8.DecodeRuneInString(s[at:])
		if strings.HasPrefix(s[at:], "\r\n") {
			width = 2
		}
		if keep {
			out = append(out, s[:at+width])
		} else {
			out = append(out, s[:at])
		}
		s = s[at+width:]
	}
	return out
}

// isLineEnd lists what str.splitlines takes for the end of a line.
func isLineEnd(r rune) bool {
	return r >= '\n' && r <= '\r' || r >= 0x1c && r <= 0x1e || r == 0x85 || r == 0x2028 || r == 0x2029
}
