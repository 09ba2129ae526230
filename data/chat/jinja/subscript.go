package jinja

import "unicode/utf8"

// attrExpr is obj.name.
type attrExpr struct {
	obj  expr
	name string
	line int
}

func (e *attrExpr) eval(x *exec) Value {
	x.nest()
	defer x.unnest()
	obj := e.obj.eval(x)
	x.line = e.line
	return x.getAttribute(obj, e.name)
}

// getAttribute is Jinja's dot: the attribute, else the item, else undefined.
func (x *exec) getAttribute(obj Value, name string) Value {
	x.step(len(name) / bytesPerStep)
	if v := x.attribute(obj, name); v != nil {
		return v
	}
	if d, ok := obj.(*dict); ok {
		if v, ok := d.field(name); ok {
			return v
		}
	}
	return missingAttribute(obj, name)
}

// itemExpr is obj[arg].
type itemExpr struct {
	obj, arg expr
	line     int
}

func (e *itemExpr) eval(x *exec) Value {
	x.nest()
	defer x.unnest()
	obj := e.obj.eval(x)
	arg := e.arg.eval(x)
	x.line = e.line
	return x.getItem(obj, arg)
}

// getItem is Jinja's subscript: the item, else the attribute, else undefined.
func (x *exec) getItem(obj, arg Value) Value {
	if v := x.item(obj, arg); v != nil {
		return v
	}
	name, ok := textOf(arg)
	if !ok {
		return &undefined{reason: func() string { return describe(obj) + " has no element " + x.repr(arg) }}
	}
	if v := x.attribute(obj, name); v != nil {
		return v
	}
	return missingAttribute(obj, name)
}

func missingAttribute(obj Value, name string) *undefined {
	return missing("'%s' has no attribute '%s'", describe(obj), name)
}

// describe names an object as Jinja's messages do.
func describe(v Value) string {
	if _, ok := v.(none); ok {
		return "None"
	}
	if n := v.typeName(); n == "Namespace" || n == "LoopContext" || n == "Macro" {
		return "jinja2." + map[string]string{"Namespace": "utils", "LoopContext": "runtime", "Macro": "runtime"}[n] + "." + n + " object"
	}
	return v.typeName() + " object"
}

// item is Python's obj[arg], or nil where that raises a lookup or type error.
func (x *exec) item(obj, arg Value) Value {
	switch obj := obj.(type) {
	case *dict:
		if h, ok := x.hash(arg); ok {
			v, _ := obj.get(h)
			return v
		}
		return nil
	case *undefined:
		x.refuse(obj)
	case str, markup:
		return x.character(obj, arg)
	}
	n, ok := x.size(obj)
	if !ok || !isInt(arg) {
		return nil
	}
	i := x.index(arg)
	if i < 0 {
		i += n
	}
	if i < 0 || i >= n {
		return nil
	}
	switch obj := obj.(type) {
	case *list:
		return obj.items[i]
	case *tuple:
		return obj.items[i]
	case *span:
		return obj.at(i)
	}
	return nil
}

// character is a text's character at an index that counts code points.
func (x *exec) character(v, arg Value) Value {
	if !isInt(arg) {
		return nil
	}
	s, _ := textOf(v)
	n, _ := x.size(v)
	i := x.index(arg)
	if i < 0 {
		i += n
	}
	if i < 0 || i >= n {
		return nil
	}
	at := byteOffset(s, i)
	_, width := utf8.DecodeRuneInString(s[at:])
	return like(v, s[at:at+width])
}

// byteOffset returns where code point i of s starts; len(s) behind the end.
func byteOffset(s string, i int) int {
	for at := range s {
		if i == 0 {
			return at
		}
		i--
	}
	return len(s)
}

// like makes a text of the type of v: Markup stays Markup.
func like(v Value, s string) Value {
	if _, ok := v.(markup); ok {
		return markup(s)
	}
	return str(s)
}

// sliceExpr is obj[lo:hi:step].
type sliceExpr struct {
	obj, lo, hi, step expr // nil: left out
	line              int
}

func (e *sliceExpr) eval(x *exec) Value {
	x.nest()
	defer x.unnest()
	obj := e.obj.eval(x)
	bound := func(e expr) Value {
		if e == nil {
			return none{}
		}
		return e.eval(x)
	}
	lo, hi, step := bound(e.lo), bound(e.hi), bound(e.step)
	x.line = e.line
	return x.slice(obj, lo, hi, step)
}

// slice is Python's obj[lo:hi:step].
func (x *exec) slice(obj, lo, hi, step Value) Value {
	switch obj.(type) {
	case str, markup, *list, *tuple, *span:
	case *undefined:
		x.refuse(obj.(*undefined))
	case *dict:
		x.fail("TypeError: unhashable type: 'slice'")
	default:
		x.fail("TypeError: '%s' object is not subscriptable", obj.typeName())
	}
	n, _ := x.size(obj)
	start, stop, by := x.bounds(n, lo, hi, step)
	switch obj := obj.(type) {
	case *list:
		return &list{x.cut(obj.items, start, stop, by)}
	case *tuple:
		return &tuple{items: x.cut(obj.items, start, stop, by)}
	case *span:
		return newSpan(obj.start+int64(start)*obj.step, obj.start+int64(stop)*obj.step, obj.step*int64(by))
	}
	s, _ := textOf(obj)
	return like(obj, x.cutText(s, start, stop, by))
}

// bounds resolves a slice of n items as Python's slice.indices does.
func (x *exec) bounds(n int, lo, hi, step Value) (start, stop, by int) {
	by = 1
	if _, ok := step.(none); !ok {
		if by = x.sliceIndex(step); by == 0 {
			x.fail("ValueError: slice step cannot be zero")
		}
	}
	by = max(min(by, 1<<31), -1<<31) // no sequence is longer
	low, high := 0, n
	if by < 0 {
		low, high = -1, n-1
	}
	resolve := func(v Value, left int) int {
		if _, ok := v.(none); ok {
			return left
		}
		i := x.sliceIndex(v)
		if i < 0 {
			i += n
		}
		return max(min(i, high), low)
	}
	if by < 0 {
		return resolve(lo, high), resolve(hi, low), by
	}
	return resolve(lo, low), resolve(hi, high), by
}

func (x *exec) sliceIndex(v Value) int {
	if !isInt(v) {
		x.fail("TypeError: slice indices must be integers or None or have an __index__ method")
	}
	return x.index(v)
}

func (x *exec) cut(items []Value, start, stop, by int) []Value {
	if by == 1 {
		if start >= stop {
			return nil
		}
		return items[start:stop:stop]
	}
	var out []Value
	x.made(headerBytes)
	for i := start; by > 0 && i < stop || by < 0 && i > stop; i += by {
		x.step(1)
		x.made(itemBytes)
		out = append(out, items[i])
	}
	return out
}

// cutText slices by code points.
func (x *exec) cutText(s string, start, stop, by int) string {
	x.work(len(s))
	if by == 1 {
		if start >= stop {
			return ""
		}
		from := byteOffset(s, start)
		return s[from : from+byteOffset(s[from:], stop-start)]
	}
	x.step(len(s))
	x.made(6 * len(s))
	runes := []rune(s)
	var out []rune
	for i := start; by > 0 && i < stop || by < 0 && i > stop; i += by {
		out = append(out, runes[i])
	}
	return string(out)
}
