package jinja

// selectFilters apply filters and tests to each item.
var selectFilters = []*builtin{
	{name: "map", variadic: filterMap},
	{name: "select", variadic: choose(true, false)},
	{name: "reject", variadic: choose(false, false)},
	{name: "selectattr", variadic: choose(true, true)},
	{name: "rejectattr", variadic: choose(false, true)},
	{name: "sum", params: []string{"attribute?", "start?"}, fixed: func(x *exec, v Value, a []Value) Value {
		get := x.getter(a[0], nil)
		total := orElse(a[1], integer(0))
		if _, ok := textOf(total); ok {
			x.fail("TypeError: sum() can't sum strings [use ''.join(seq) instead]")
		}
		next := x.iterate(v)
		for item, ok := next(); ok; item, ok = next() {
			total = x.binary("+", total, get(item))
		}
		return total
	}},
}

// perItem yields make(item) for each item of v. The function is prepared when the
// first item is asked for, as in Jinja's generators.
func (x *exec) perItem(v Value, prepare func() func(Value) (Value, bool)) Value {
	if !x.truth(v) {
		return x.lazy("generator", func() (Value, bool) { return nil, false })
	}
	from := x.iterate(v)
	var fn func(Value) (Value, bool)
	return x.lazy("generator", func() (Value, bool) {
		if fn == nil {
			fn = prepare()
		}
		for item, ok := from(); ok; item, ok = from() {
			if out, keep := fn(item); keep {
				return out, true
			}
		}
		return nil, false
	})
}

func filterMap(x *exec, v Value, a arguments) Value {
	return x.perItem(v, func() func(Value) (Value, bool) {
		if len(a.pos) == 0 {
			attribute := a.take("attribute")
			if attribute == nil {
				x.fail("FilterArgumentError: map requires a filter argument")
			}
			get := x.getter(attribute, a.take("default"))
			if len(a.names) > 0 {
				x.fail("FilterArgumentError: Unexpected keyword argument '%s'", a.names[0])
			}
			return func(v Value) (Value, bool) { return get(v), true }
		}
		name, _ := textOf(a.pos[0])
		fn, ok := x.env.filters[name]
		if !ok {
			x.fail("TemplateRuntimeError: No filter named '%s'.", x.str(a.pos[0]))
		}
		rest := arguments{a.pos[1:], a.names, a.kw}
		return func(v Value) (Value, bool) { return fn.invoke(x, v, rest), true }
	})
}

// choose makes select and its relatives: keep items that pass (or fail) a test,
// made on the item or on one of its attributes.
func choose(keep, attribute bool) func(*exec, Value, arguments) Value {
	return func(x *exec, v Value, a arguments) Value {
		return x.perItem(v, func() func(Value) (Value, bool) {
			args := a
			get := func(v Value) Value { return v }
			if attribute {
				if len(args.pos) == 0 {
					x.fail("FilterArgumentError: Missing parameter for attribute name")
				}
				get = x.getter(args.pos[0], nil)
				args.pos = args.pos[1:]
			}
			test := x.itemTest(args)
			return func(v Value) (Value, bool) { return v, test(get(v)) == keep }
		})
	}
}

// itemTest is the test named by the first argument, or the item's truth.
func (x *exec) itemTest(a arguments) func(Value) bool {
	if len(a.pos) == 0 {
		return x.truth
	}
	name, _ := textOf(a.pos[0])
	fn, ok := x.env.tests[name]
	if !ok {
		x.fail("TemplateRuntimeError: No test named '%s'.", x.str(a.pos[0]))
	}
	rest := arguments{a.pos[1:], a.names, a.kw}
	return func(v Value) bool { return x.truth(fn.invoke(x, v, rest)) }
}
