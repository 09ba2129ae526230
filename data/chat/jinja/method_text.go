package jinja

import (
	"strings"
	"unicode/utf8"
)

// onText makes a method of str that gets its text.
func onText(name string, params []string, fn func(x *exec, s string, a []Value) Value) *builtin {
	return &builtin{name: name, params: params, positional: true, fixed: func(x *exec, self Value, a []Value) Value {
		s, _ := textOf(self)
		x.work(len(s))
		return fn(x, s, a)
	}}
}

// withNames allows keyword arguments.
func withNames(b *builtin) *builtin {
	b.positional = false
	return b
}

// stripMethods cut text off the ends.
var stripMethods = []*builtin{
	onText("strip", []string{"chars?"}, func(x *exec, s string, a []Value) Value {
		return str(strings.TrimFunc(s, x.charSet(a[0])))
	}),
	onText("lstrip", []string{"chars?"}, func(x *exec, s string, a []Value) Value {
		return str(strings.TrimLeftFunc(s, x.charSet(a[0])))
	}),
	onText("rstrip", []string{"chars?"}, func(x *exec, s string, a []Value) Value {
		return str(strings.TrimRightFunc(s, x.charSet(a[0])))
	}),
	onText("removeprefix", []string{"prefix"}, func(x *exec, s string, a []Value) Value {
		return str(strings.TrimPrefix(s, x.textArg(a[0], "removeprefix() argument")))
	}),
	onText("removesuffix", []string{"suffix"}, func(x *exec, s string, a []Value) Value {
		return str(strings.TrimSuffix(s, x.textArg(a[0], "removesuffix() argument")))
	}),
}

// charSet returns what strip takes off: the characters of a text, or white space.
func (x *exec) charSet(v Value) func(rune) bool {
	if isNone(v) {
		return isSpace
	}
	set := x.textArg(v, "strip arg")
	return func(r rune) bool {
		x.work(len(set))
		return strings.ContainsRune(set, r)
	}
}

// findMethods look for text.
var findMethods = []*builtin{
	onText("startswith", []string{"prefix", "start?", "end?"}, affix("startswith", strings.HasPrefix)),
	onText("endswith", []string{"suffix", "start?", "end?"}, affix("endswith", strings.HasSuffix)),
	onText("find", []string{"sub", "start?", "end?"}, func(x *exec, s string, a []Value) Value {
		return integer(x.search(s, a, strings.Index))
	}),
	onText("rfind", []string{"sub", "start?", "end?"}, func(x *exec, s string, a []Value) Value {
		return integer(x.search(s, a, strings.LastIndex))
	}),
	onText("index", []string{"sub", "start?", "end?"}, func(x *exec, s string, a []Value) Value {
		return x.found(x.search(s, a, strings.Index))
	}),
	onText("rindex", []string{"sub", "start?", "end?"}, func(x *exec, s string, a []Value) Value {
		return x.found(x.search(s, a, strings.LastIndex))
	}),
	onText("count", []string{"sub", "start?", "end?"}, func(x *exec, s string, a []Value) Value {
		part, _, ok := x.part(s, a[1], a[2])
		if !ok {
			return integer(0)
		}
		return integer(strings.Count(part, x.textArg(a[0], "argument 1")))
	}),
	onText("replace", []string{"old", "new", "count?"}, func(x *exec, s string, a []Value) Value {
		return str(x.replace(s, x.textArg(a[0], "replace() argument 1"), x.textArg(a[1], "replace() argument 2"), x.intArg(a[2], -1)))
	}),
}

// part is s[start:end] in code points, and where it starts; ok is false if start
// lies behind the end.
func (x *exec) part(s string, start, end Value) (part string, from int, ok bool) {
	if isNone(start) && isNone(end) {
		return s, 0, true
	}
	n := utf8.RuneCountInString(s)
	bound := func(v Value, otherwise int) int {
		if isNone(v) {
			return otherwise
		}
		i := x.intArg(v, otherwise)
		if i < 0 {
			i = max(i+n, 0)
		}
		return i
	}
	lo, hi := bound(start, 0), min(bound(end, n), n)
	if lo > hi {
		return "", lo, false
	}
	return x.cutText(s, lo, hi, 1), lo, true
}

// affix makes startswith and endswith, which take one text or a tuple of them.
func affix(name string, has func(s, affix string) bool) func(*exec, string, []Value) Value {
	return func(x *exec, s string, a []Value) Value {
		part, _, ok := x.part(s, a[1], a[2])
		options := []Value{a[0]}
		if t, isTuple := a[0].(*tuple); isTuple {
			options = t.items
		}
		for _, o := range options {
			text, isText := textOf(o)
			if !isText {
				x.fail("TypeError: %s first arg must be str or a tuple of str, not %s", name, o.typeName())
			}
			x.work(len(text))
			if ok && has(part, text) {
				return boolean(true)
			}
		}
		return boolean(false)
	}
}

// search returns the code point index of a text, or -1.
func (x *exec) search(s string, a []Value, index func(s, sub string) int) int {
	sub := x.textArg(a[0], "argument 1")
	part, from, ok := x.part(s, a[1], a[2])
	if !ok {
		return -1
	}
	at := index(part, sub)
	if at < 0 {
		return -1
	}
	return from + utf8.RuneCountInString(part[:at])
}

func (x *exec) found(i int) Value {
	if i < 0 {
		x.fail("ValueError: substring not found")
	}
	return integer(i)
}

// caseMethods change case.
var caseMethods = []*builtin{
	caseMethod("upper", upper),
	caseMethod("lower", lower),
	caseMethod("casefold", casefold),
	caseMethod("capitalize", capitalize),
	caseMethod("title", titled),
	caseMethod("swapcase", swapCase),
}

func caseMethod(name string, change func(string) string) *builtin {
	return onText(name, nil, func(x *exec, s string, _ []Value) Value {
		x.room(3 * len(s)) // the longest full case mapping makes three characters of one
		return str(change(s))
	})
}
