package jinja

import "unicode/utf8"

// next yields the values of an iterable one by one; ok is false at the end.
type next func() (v Value, ok bool)

// iter is Python's iter(v); ok is false for values that cannot be iterated.
func (x *exec) iter(v Value) (n next, ok bool) {
	switch v := v.(type) {
	case *list:
		return x.overItems(v.items), true
	case *tuple:
		return x.overItems(v.items), true
	case *dict:
		return x.overItems(v.keys), true
	case *view:
		return x.counted(v.d.len(), func(i int) Value {
			x.made(headerBytes)
			return v.at(i)
		}), true
	case *span:
		return x.counted(v.n, v.at), true
	case str:
		return x.overText(string(v), func(s string) Value { return str(s) }), true
	case markup:
		// Markup is a str: its characters are plain ones.
		return x.overText(string(v), func(s string) Value { return str(s) }), true
	case *iterator:
		return v.next, true
	case *undefined:
		return func() (Value, bool) { return nil, false }, true
	}
	return nil, false
}

// iterate is iter, failing as Python does.
func (x *exec) iterate(v Value) next {
	n, ok := x.iter(v)
	if !ok {
		x.fail("TypeError: '%s' object is not iterable", v.typeName())
	}
	return n
}

func (x *exec) overItems(items []Value) next {
	return x.counted(len(items), func(i int) Value { return items[i] })
}

// counted yields at(0) … at(n-1).
func (x *exec) counted(n int, at func(int) Value) next {
	i := 0
	return func() (Value, bool) {
		if i >= n {
			return nil, false
		}
		x.step(1)
		i++
		return at(i - 1), true
	}
}

func (x *exec) overText(s string, wrap func(string) Value) next {
	return func() (Value, bool) {
		if s == "" {
			return nil, false
		}
		x.step(1)
		_, n := utf8.DecodeRuneInString(s)
		c := s[:n]
		s = s[n:]
		return wrap(c), true
	}
}

// items returns all values of an iterable. The slice may be the value's own.
func (x *exec) items(v Value) []Value {
	switch v := v.(type) {
	case *list:
		return v.items
	case *tuple:
		return v.items
	case *dict:
		return v.keys
	}
	return x.drain(x.iterate(v))
}

// drain collects what is left.
func (x *exec) drain(n next) []Value {
	var out []Value
	for v, ok := n(); ok; v, ok = n() {
		x.made(itemBytes)
		out = append(out, v)
	}
	return out
}

// lazy makes a generator. Generators over generators count as nesting.
func (x *exec) lazy(name string, n next) Value {
	x.made(headerBytes)
	return &iterator{name, func() (Value, bool) {
		x.nest()
		v, ok := n()
		x.unnest()
		return v, ok
	}}
}

// at returns item i of a dict's view.
func (v *view) at(i int) Value {
	switch v.kind {
	case viewKeys:
		return v.d.keys[i]
	case viewValues:
		return v.d.values[i]
	}
	return pair(v.d.keys[i], v.d.values[i])
}

func (v *view) all() []Value {
	out := make([]Value, v.d.len())
	for i := range out {
		out[i] = v.at(i)
	}
	return out
}
