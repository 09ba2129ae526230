package jinja

import (
	"strings"
	"unicode/utf8"
)

// soft is soft_str(v): texts stay what they are, other values become str.
func (x *exec) soft(v Value) Value {
	if _, ok := textOf(v); ok {
		return v
	}
	return str(x.str(v))
}

// viaMethod makes a filter that applies a str method to the value's text.
func viaMethod(filter, name string, params ...string) *builtin {
	return &builtin{name: filter, params: params, fixed: func(x *exec, v Value, a []Value) Value {
		var args arguments
		for _, arg := range a {
			if arg != nil {
				args.pos = append(args.pos, arg)
			}
		}
		v = x.soft(v)
		return x.env.methods[v.typeName()][name].invoke(x, v, args)
	}}
}

var textFilters = []*builtin{
	viaMethod("upper", "upper"),
	viaMethod("lower", "lower"),
	viaMethod("capitalize", "capitalize"),
	viaMethod("trim", "strip", "chars?"),
	{name: "center", params: []string{"width?"}, fixed: func(x *exec, v Value, a []Value) Value {
		if a[0] == nil {
			a[0] = integer(80)
		}
		v = x.soft(v)
		return x.env.methods[v.typeName()]["center"].invoke(x, v, arguments{pos: a[:1]})
	}},
	{name: "title", fixed: func(x *exec, v Value, _ []Value) Value { return str(x.titleWords(x.str(v))) }},
	{name: "string", fixed: func(x *exec, v Value, _ []Value) Value { return x.soft(v) }},
	{name: "replace", params: []string{"old", "new", "count?"}, fixed: filterReplace},
	{name: "format", variadic: filterFormat},
	{name: "wordcount", fixed: func(x *exec, v Value, _ []Value) Value {
		s := x.str(v)
		x.work(len(s))
		return integer(countWords(s))
	}},
	{name: "default", params: []string{"default_value?", "boolean?"}, fixed: func(x *exec, v Value, a []Value) Value {
		_, absent := v.(*undefined)
		if !absent && !(x.flag(a[1]) && !x.truth(v)) {
			return v
		}
		if a[0] == nil {
			return str("")
		}
		return a[0]
	}},
}

func countWords(s string) int {
	n, inside := 0, false
	for _, r := range s {
		is := isWordRune(r)
		if is && !inside {
			n++
		}
		inside = is
	}
	return n
}

func filterReplace(x *exec, v Value, a []Value) Value {
	n := -1
	if !isNone(a[2]) {
		n = x.intArg(a[2], -1)
	}
	if !x.escape {
		return str(x.replace(x.str(v), x.str(a[0]), x.str(a[1]), n))
	}
	s := x.soft(v)
	_, oldMarked := a[0].(markup)
	_, newMarked := a[1].(markup)
	if _, marked := s.(markup); oldMarked || newMarked && !marked {
		s = x.escaped(s)
	}
	if _, ok := s.(markup); ok {
		return markup(x.replace(x.str(s), x.str(a[0]), string(x.escaped(a[1])), n))
	}
	return str(x.replace(x.str(s), x.str(a[0]), x.str(a[1]), n))
}

// replace is s.replace(old, new, n); all of them for n < 0.
func (x *exec) replace(s, old, new string, n int) string {
	x.work(len(s) + len(old))
	count := strings.Count(s, old)
	if n >= 0 {
		count = min(count, n)
	}
	if grow := len(new) - len(old); grow > 0 {
		x.repeat(count, grow)
		x.room(len(s) + count*grow)
	}
	return strings.Replace(s, old, new, n)
}

func filterFormat(x *exec, v Value, a arguments) Value {
	if len(a.pos) > 0 && len(a.names) > 0 {
		x.fail("FilterArgumentError: can't handle positional and keyword arguments at the same time")
	}
	v = x.soft(v)
	s, _ := textOf(v)
	if len(a.names) > 0 {
		return x.percent(s, v, a.dict())
	}
	return x.percent(s, v, &tuple{items: a.pos})
}

// titleWords capitalises the words of s as Jinja's title filter does: they start
// behind white space, dashes and opening brackets.
func (x *exec) titleWords(s string) string {
	x.room(len(s))
	var out strings.Builder
	for s != "" {
		word := strings.IndexFunc(s, func(r rune) bool { return !startsWord(r) })
		if word < 0 {
			word = len(s)
		}
		out.WriteString(s[:word])
		s = s[word:]
		end := strings.IndexFunc(s, startsWord)
		if end < 0 {
			end = len(s)
		}
		_, first := utf8.DecodeRuneInString(s[:end])
		out.WriteString(upper(s[:first]))
		out.WriteString(lower(s[first:end]))
		s = s[end:]
	}
	return out.String()
}

func startsWord(r rune) bool { return isSpace(r) || strings.ContainsRune("-({[<", r) }
