package jinja

import "time"

// globals are the functions every template can call.
var globals = []*builtin{
	{name: "range", variadic: makeRange},
	{name: "dict", variadic: makeDict},
	{name: "namespace", variadic: func(x *exec, _ Value, a arguments) Value {
		return &namespace{makeDict(x, nil, a).(*dict)}
	}},
	{name: "cycler", variadic: func(x *exec, _ Value, a arguments) Value {
		a.refuseNames(x, "cycler")
		if len(a.pos) == 0 {
			x.fail("RuntimeError: at least one item has to be provided")
		}
		return &cycler{items: a.pos}
	}},
	{name: "joiner", params: []string{"sep?"}, fixed: func(x *exec, _ Value, a []Value) Value {
		if a[0] == nil {
			a[0] = str(", ")
		}
		return &joiner{separator: a[0]}
	}},
	{name: "raise_exception", params: []string{"message"}, fixed: func(x *exec, _ Value, a []Value) Value {
		panic(&Error{Template: x.t.name, Line: x.line, Message: clip(x.str(a[0])), Kind: ErrRaised})
	}},
	{name: "strftime_now", params: []string{"format"}, fixed: func(x *exec, _ Value, a []Value) Value {
		format := x.textArg(a[0], "strftime_now() argument")
		if x.t.opts.Now == nil {
			x.fail("strftime_now: no clock was given (Options.Now)")
		}
		return str(x.strftime(x.t.opts.Now(), format))
	}},
}

// makeRange is range(stop) or range(start, stop, step).
func makeRange(x *exec, _ Value, a arguments) Value {
	a.refuseNames(x, "range")
	if len(a.pos) < 1 || len(a.pos) > 3 {
		x.fail("TypeError: range expected 1 to 3 arguments, got %d", len(a.pos))
	}
	start, stop, step := 0, x.intArg(a.pos[0], 0), 1
	if len(a.pos) > 1 {
		start, stop = stop, x.intArg(a.pos[1], 0)
	}
	if len(a.pos) > 2 {
		step = x.intArg(a.pos[2], 1)
	}
	if step == 0 {
		x.fail("ValueError: range() arg 3 must not be zero")
	}
	const far = 1 << 40 // keeps sums inside int64
	if max(start, stop, step) > far || min(start, stop, step) < -far {
		x.limit("range() with ends beyond %d", far)
	}
	r := newSpan(int64(start), int64(stop), int64(step))
	if r.n > x.limits.RangeItems {
		x.limit("Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).", x.limits.RangeItems)
	}
	return r
}

func newSpan(start, stop, step int64) *span {
	n := int64(0)
	if step > 0 && stop > start {
		n = (stop - start + step - 1) / step
	} else if step < 0 && stop < start {
		n = (start - stop - step - 1) / -step
	}
	return &span{start, stop, step, int(n)}
}

// makeDict is dict(mapping or pairs, **fields).
func makeDict(x *exec, _ Value, a arguments) Value {
	if len(a.pos) > 1 {
		x.fail("TypeError: dict expected at most 1 argument, got %d", len(a.pos))
	}
	d := &dict{}
	x.made(headerBytes + entryBytes*len(a.names))
	if len(a.pos) == 1 {
		x.fill(d, a.pos[0])
	}
	for i, name := range a.names {
		d.setField(name, a.kw[i])
	}
	return d
}

// fill adds the entries of a dict or the pairs of an iterable.
func (x *exec) fill(d *dict, from Value) {
	if from, ok := from.(*dict); ok {
		x.step(from.len())
		x.made(entryBytes * from.len())
		for i, h := range from.hashes {
			d.set(h, from.keys[i], from.values[i])
		}
		return
	}
	next := x.iterate(from)
	for v, ok := next(); ok; v, ok = next() {
		pair := x.items(v)
		if len(pair) != 2 {
			x.fail("ValueError: dictionary update sequence element has length %d; 2 is required", len(pair))
		}
		x.made(entryBytes)
		d.set(x.key(pair[0]), pair[0], pair[1])
	}
}

// cycler yields its items over and over.
type cycler struct {
	items []Value
	pos   int
}

func (*cycler) typeName() string { return "Cycler" }

func (c *cycler) current() Value { return c.items[c.pos] }

var cyclerMethods = []*builtin{
	{name: "next", fixed: func(x *exec, self Value, _ []Value) Value {
		c := self.(*cycler)
		v := c.current()
		c.pos = (c.pos + 1) % len(c.items)
		return v
	}},
	{name: "reset", fixed: func(x *exec, self Value, _ []Value) Value {
		self.(*cycler).pos = 0
		return none{}
	}},
}

// joiner yields nothing on its first call and its separator afterwards.
type joiner struct {
	separator Value
	used      bool
}

func (*joiner) typeName() string { return "Joiner" }

func (j *joiner) call() Value {
	if !j.used {
		j.used = true
		return str("")
	}
	return j.separator
}

// strftime formats a time as Python's datetime.strftime does in the C locale.
// Unknown directives stay as they are.
func (x *exec) strftime(t time.Time, format string) string {
	x.room(16 * len(format))
	var out []byte
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			out = append(out, format[i])
			continue
		}
		i++
		plain := format[i] == '-' && i+1 < len(format)
		if plain {
			i++
		}
		text := directive(t, format[i])
		if text == "" && format[i] != 'z' && format[i] != 'Z' { // a time without zone has no text for these
			text = "%" + format[i:i+1]
		}
		for plain && len(text) > 1 && (text[0] == '0' || text[0] == ' ') {
			text = text[1:]
		}
		out = append(out, text...)
	}
	return string(out)
}
