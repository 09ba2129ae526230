package jinja

import "strings"

// is makes a test without arguments.
func is(name string, holds func(x *exec, v Value) bool) *builtin {
	return &builtin{name: name, fixed: func(x *exec, v Value, _ []Value) Value { return boolean(holds(x, v)) }}
}

// against makes a test with one argument.
func against(name, param string, holds func(x *exec, v, arg Value) bool) *builtin {
	return &builtin{name: name, params: []string{param}, fixed: func(x *exec, v Value, a []Value) Value {
		return boolean(holds(x, v, a[0]))
	}}
}

// valueTests look at values.
var valueTests = []*builtin{
	is("odd", func(x *exec, v Value) bool { return x.equal(x.binary("%", v, integer(2)), integer(1)) }),
	is("even", func(x *exec, v Value) bool { return x.equal(x.binary("%", v, integer(2)), integer(0)) }),
	against("divisibleby", "num", func(x *exec, v, n Value) bool {
		return x.equal(x.binary("%", v, n), integer(0))
	}),
	is("lower", func(x *exec, v Value) bool { return isLower(x.str(v)) }),
	is("upper", func(x *exec, v Value) bool { return isUpper(x.str(v)) }),
	against("in", "seq", func(x *exec, v, seq Value) bool { return x.contains(seq, v) }),
	against("sameas", "other", func(_ *exec, v, other Value) bool { return same(v, other) }),
	against("eq", "other", func(x *exec, v, other Value) bool { return x.equal(v, other) }),
	against("ne", "other", func(x *exec, v, other Value) bool { return !x.equal(v, other) }),
	against("lt", "other", func(x *exec, v, other Value) bool { return x.less("<", v, other) }),
	against("le", "other", func(x *exec, v, other Value) bool { return x.less("<=", v, other) }),
	against("gt", "other", func(x *exec, v, other Value) bool { return x.less(">", v, other) }),
	against("ge", "other", func(x *exec, v, other Value) bool { return x.less(">=", v, other) }),
	is("filter", func(x *exec, v Value) bool { return x.named(v, x.env.filters) }),
	is("test", func(x *exec, v Value) bool { return x.named(v, x.env.tests) }),
}

func (x *exec) named(v Value, in map[string]*builtin) bool {
	name, ok := textOf(v)
	return ok && in[name] != nil
}

// typeTests look at the types of values.
var typeTests = []*builtin{
	is("defined", func(_ *exec, v Value) bool { _, absent := v.(*undefined); return !absent }),
	is("undefined", func(_ *exec, v Value) bool { _, absent := v.(*undefined); return absent }),
	is("none", func(_ *exec, v Value) bool { _, ok := v.(none); return ok }),
	is("boolean", func(_ *exec, v Value) bool { _, ok := v.(boolean); return ok }),
	is("true", func(_ *exec, v Value) bool { return v == boolean(true) }),
	is("false", func(_ *exec, v Value) bool { return v == boolean(false) }),
	is("integer", func(_ *exec, v Value) bool { _, b := v.(boolean); return isInt(v) && !b }),
	is("float", func(_ *exec, v Value) bool { _, ok := v.(float); return ok }),
	is("number", func(_ *exec, v Value) bool { return isNumber(v) }),
	is("string", func(_ *exec, v Value) bool { _, ok := textOf(v); return ok }),
	is("mapping", func(_ *exec, v Value) bool { _, ok := v.(*dict); return ok }),
	is("sequence", func(_ *exec, v Value) bool {
		switch v.(type) {
		case str, markup, *list, *tuple, *dict, *span, *undefined:
			return true
		}
		return false
	}),
	is("iterable", func(x *exec, v Value) bool {
		_, isLoop := v.(*loop)
		_, ok := x.iter(v)
		return ok || isLoop
	}),
	is("callable", func(_ *exec, v Value) bool { return callable(v) }),
	is("escaped", func(_ *exec, v Value) bool { _, ok := v.(markup); return ok }),
}

// isLower is Python's str.islower: there are letters with case, and none is upper
// or title case.
func isLower(s string) bool {
	return strings.IndexFunc(s, cased) >= 0 && strings.IndexFunc(s, func(r rune) bool { return cased(r) && !lowerCase(r) }) < 0
}

// isUpper is Python's str.isupper.
func isUpper(s string) bool {
	return strings.IndexFunc(s, cased) >= 0 && strings.IndexFunc(s, func(r rune) bool { return cased(r) && !upperCase(r) }) < 0
}
