package jinja

import "strings"

var listFilters = []*builtin{
	{name: "length", fixed: func(x *exec, v Value, _ []Value) Value {
		n, ok := x.size(v)
		if !ok {
			x.fail("TypeError: object of type '%s' has no len()", v.typeName())
		}
		return integer(n)
	}},
	{name: "list", fixed: func(x *exec, v Value, _ []Value) Value { return &list{x.items(v)} }},
	{name: "first", fixed: func(x *exec, v Value, _ []Value) Value {
		if item, ok := x.iterate(v)(); ok {
			return item
		}
		return missing("No first item, sequence was empty.")
	}},
	{name: "last", fixed: func(x *exec, v Value, _ []Value) Value {
		items, ok := x.reversible(v)
		if !ok {
			x.fail("TypeError: '%s' object is not reversible", v.typeName())
		}
		if len(items) == 0 {
			return missing("No last item, sequence was empty.")
		}
		return items[len(items)-1]
	}},
	{name: "reverse", fixed: filterReverse},
	{name: "join", params: []string{"d?", "attribute?"}, fixed: filterJoin},
	{name: "items", fixed: filterItems},
	{name: "batch", params: []string{"linecount", "fill_with?"}, fixed: filterBatch},
	{name: "slice", params: []string{"slices", "fill_with?"}, fixed: filterSlice},
	{name: "attr", params: []string{"name"}, fixed: func(x *exec, v Value, a []Value) Value {
		name := x.str(a[0])
		if found := x.attribute(v, name); found != nil {
			return found
		}
		return missingAttribute(v, name)
	}},
}

// reversible returns the items of what Python's reversed() takes.
func (x *exec) reversible(v Value) ([]Value, bool) {
	switch v.(type) {
	case str, markup, *list, *tuple, *dict, *view, *span, *undefined:
		return x.items(v), true
	}
	return nil, false
}

// reversed turns the code points of s around.
func (x *exec) reversed(s string) string {
	n, _ := x.size(str(s))
	return x.cutText(s, n-1, -1, -1)
}

func filterReverse(x *exec, v Value, _ []Value) Value {
	if s, ok := textOf(v); ok {
		return like(v, x.reversed(s))
	}
	if _, ok := x.iter(v); !ok {
		x.fail("FilterArgumentError: argument must be iterable")
	}
	items := x.items(v)
	i := len(items)
	return x.lazy("list_reverseiterator", func() (Value, bool) {
		if i == 0 {
			return nil, false
		}
		x.step(1)
		i--
		return items[i], true
	})
}

func filterJoin(x *exec, v Value, a []Value) Value {
	items := x.items(v)
	if !isNone(a[1]) {
		get := x.getter(a[1], nil)
		x.container(len(items))
		out := make([]Value, len(items))
		for i, item := range items {
			out[i] = get(item)
		}
		items = out
	}
	d := orElse(a[0], str(""))
	if !x.escape {
		return str(x.join(x.str(d), items))
	}
	_, marked := d.(markup)
	for _, item := range items {
		_, is := item.(markup)
		marked = marked || is
	}
	if marked {
		return x.joinMarkup(x.escaped(d), items)
	}
	return str(x.join(x.str(d), items))
}

func filterItems(x *exec, v Value, _ []Value) Value {
	switch v := v.(type) {
	case *undefined:
		return x.lazy("generator", func() (Value, bool) { return nil, false })
	case *dict:
		return x.lazy("generator", x.counted(v.len(), (&view{v, viewItems}).at))
	}
	return x.lazy("generator", func() (Value, bool) {
		x.fail("TypeError: Can only get item pairs from a mapping.")
		return nil, false
	})
}

// filterBatch cuts items into lists of a length; fill_with completes the last.
func filterBatch(x *exec, v Value, a []Value) Value {
	n := x.intArg(a[0], 0)
	from := x.iterate(v)
	var row []Value
	return x.lazy("generator", func() (Value, bool) {
		for item, ok := from(); ok; item, ok = from() {
			if len(row) == n {
				full := row
				x.made(headerBytes)
				row = []Value{item}
				return &list{full}, true
			}
			row = append(row, item)
		}
		if len(row) == 0 {
			return nil, false
		}
		last := row
		row = nil
		if !isNone(a[1]) && len(last) < n {
			x.container(n - len(last))
			for len(last) < n {
				last = append(last, a[1])
			}
		}
		return &list{last}, true
	})
}

// filterSlice cuts items into a number of lists of equal length, the first ones
// longer by one where they do not divide; fill_with completes the others.
func filterSlice(x *exec, v Value, a []Value) Value {
	n := x.intArg(a[0], 0)
	items := x.items(v)
	if n == 0 {
		x.fail("ZeroDivisionError: integer division or modulo by zero")
	}
	i, at := 0, 0
	return x.lazy("generator", func() (Value, bool) {
		if i >= n {
			return nil, false
		}
		size := len(items) / n
		longer := i < len(items)%n
		if longer {
			size++
		}
		x.container(size + 1)
		row := append([]Value(nil), items[at:at+size]...)
		if !isNone(a[1]) && !longer {
			row = append(row, a[1])
		}
		i, at = i+1, at+size
		return &list{row}, true
	})
}

// getter looks up an attribute path such as "address.city" or "0.name", as
// Jinja's make_attrgetter. fallback, if not nil, stands for undefined values.
func (x *exec) getter(path, fallback Value) func(Value) Value {
	if isNone(path) {
		return func(v Value) Value { return v }
	}
	parts := []Value{path}
	if s, ok := textOf(path); ok {
		parts = parts[:0]
		for _, part := range strings.Split(s, ".") {
			parts = append(parts, pathPart(part))
		}
		x.step(len(parts))
	}
	return func(v Value) Value {
		for _, part := range parts {
			v = x.getItem(v, part)
			if _, absent := v.(*undefined); absent && !isNone(fallback) {
				v = fallback
			}
		}
		return v
	}
}

// pathPart turns digits into an index.
func pathPart(s string) Value {
	if n := len(s); n == 0 || n > 18 || strings.Trim(s, "0123456789") != "" {
		return str(s)
	}
	n := 0
	for _, c := range s {
		n = n*10 + int(c-'0')
	}
	return integer(n)
}
