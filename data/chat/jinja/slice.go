package jinja

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
	switch v := obj.(type) {
	case str, markup, *list, *tuple, *span:
	case *undefined:
		x.refuse(v)
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
