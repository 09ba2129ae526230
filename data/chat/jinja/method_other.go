package jinja

import (
	"math"
	"strconv"
)

var dictMethods = []*builtin{
	{name: "get", params: []string{"key", "default?"}, positional: true, fixed: func(x *exec, self Value, a []Value) Value {
		if v, ok := self.(*dict).get(x.key(a[0])); ok {
			return v
		}
		return orElse(a[1], none{})
	}},
	viewMethod("keys", viewKeys),
	viewMethod("values", viewValues),
	viewMethod("items", viewItems),
	{name: "fromkeys", params: []string{"iterable", "value?"}, positional: true, fixed: func(x *exec, _ Value, a []Value) Value {
		d := &dict{}
		for _, key := range x.items(a[0]) {
			x.made(entryBytes)
			d.set(x.key(key), key, orElse(a[1], none{}))
		}
		return d
	}},
}

func viewMethod(name string, kind viewKind) *builtin {
	return &builtin{name: name, positional: true, fixed: func(_ *exec, self Value, _ []Value) Value {
		return &view{self.(*dict), kind}
	}}
}

// listMethods are those of lists, tuples and ranges that change nothing.
var listMethods = []*builtin{
	{name: "count", params: []string{"value"}, positional: true, fixed: func(x *exec, self Value, a []Value) Value {
		n := 0
		for _, item := range x.items(self) {
			if x.equal(item, a[0]) {
				n++
			}
		}
		return integer(n)
	}},
	{name: "index", params: []string{"value", "start?", "stop?"}, positional: true, fixed: func(x *exec, self Value, a []Value) Value {
		items := x.items(self)
		start, stop, _ := x.bounds(len(items), orElse(a[1], none{}), orElse(a[2], none{}), none{})
		for i := start; i < stop; i++ {
			if x.equal(items[i], a[0]) {
				return integer(i)
			}
		}
		x.fail("ValueError: %s is not in %s", x.repr(a[0]), self.typeName())
		return nil
	}},
}

// copyMethod returns the list itself: it never changes.
var copyMethod = []*builtin{{name: "copy", fixed: func(_ *exec, self Value, _ []Value) Value { return self }}}

var numberMethods = []*builtin{
	{name: "bit_length", fixed: func(_ *exec, self Value, _ []Value) Value { return integer(bigOf(self).BitLen()) }},
	{name: "conjugate", fixed: func(_ *exec, self Value, _ []Value) Value { return fromBig(bigOf(self)) }},
	{name: "is_integer", fixed: func(*exec, Value, []Value) Value { return boolean(true) }},
}

var floatMethods = []*builtin{
	{name: "conjugate", fixed: func(_ *exec, self Value, _ []Value) Value { return self }},
	{name: "is_integer", fixed: func(_ *exec, self Value, _ []Value) Value {
		f := float64(self.(float))
		return boolean(f == math.Trunc(f) && !math.IsInf(f, 0))
	}},
	{name: "hex", fixed: func(_ *exec, self Value, _ []Value) Value {
		return str(strconv.FormatFloat(float64(self.(float)), 'x', -1, 64))
	}},
}
