package jinja

// callSpec holds the arguments of a call as written.
type callSpec struct {
	pos    []expr
	names  []string // of kw
	kw     []expr
	dynPos expr // *expression
	dynKw  expr // **expression
}

// arguments are evaluated arguments.
type arguments struct {
	pos   []Value
	names []string
	kw    []Value
}

func (s *callSpec) eval(x *exec) arguments {
	var a arguments
	if len(s.pos) > 0 {
		a.pos = x.all(s.pos)
	}
	if len(s.kw) > 0 {
		a.names, a.kw = s.names, x.all(s.kw)
	}
	if s.dynPos != nil {
		more := x.items(s.dynPos.eval(x))
		x.container(len(a.pos) + len(more))
		a.pos = append(a.pos[:len(a.pos):len(a.pos)], more...)
	}
	if s.dynKw != nil {
		a.spread(x, s.dynKw.eval(x))
	}
	return a
}

// spread adds **v.
func (a *arguments) spread(x *exec, v Value) {
	d, ok := v.(*dict)
	if !ok {
		x.fail("TypeError: argument after ** must be a mapping, not %s", v.typeName())
	}
	x.container(2 * d.len())
	a.names = a.names[:len(a.names):len(a.names)]
	for i, key := range d.keys {
		name, ok := textOf(key)
		if !ok {
			x.fail("TypeError: keywords must be strings")
		}
		a.add(name, d.values[i])
	}
}

// add appends a keyword argument. The names may be those of the call as written,
// which must not change: callers cut their capacity first.
func (a *arguments) add(name string, v Value) {
	a.names, a.kw = append(a.names, name), append(a.kw, v)
}

// take removes a keyword argument and returns it, or nil.
func (a *arguments) take(name string) Value {
	for i, have := range a.names {
		if have == name {
			v := a.kw[i]
			a.names = append(append([]string(nil), a.names[:i]...), a.names[i+1:]...)
			a.kw = append(append([]Value(nil), a.kw[:i]...), a.kw[i+1:]...)
			return v
		}
	}
	return nil
}

// dict returns the keyword arguments as a dict.
func (a *arguments) dict() *dict {
	d := &dict{}
	for i, name := range a.names {
		d.setField(name, a.kw[i])
	}
	return d
}

// callExpr is fn(arguments).
type callExpr struct {
	fn   expr
	args callSpec
	line int
}

func (e *callExpr) eval(x *exec) Value {
	x.nest()
	defer x.unnest()
	fn := e.fn.eval(x)
	a := e.args.eval(x)
	x.line = e.line
	return x.call(fn, a)
}

// direct evaluates the call and writes its result. A macro writes its text itself,
// so that generation blocks in it know their place. It is false under autoescape.
func (e *callExpr) direct(x *exec) bool {
	if x.escape {
		return false
	}
	x.nest()
	defer x.unnest()
	fn := e.fn.eval(x)
	a := e.args.eval(x)
	x.line = e.line
	x.writeCall(fn, a)
	return true
}

// writeCall calls fn and writes what it returns.
func (x *exec) writeCall(fn Value, a arguments) {
	if m, ok := fn.(*macro); ok && !x.escape {
		m.invoke(x, a)
		return
	}
	x.print(x.call(fn, a))
}

// call calls a value.
func (x *exec) call(fn Value, a arguments) Value {
	switch fn := fn.(type) {
	case *macro:
		return x.capturedValue(func() { fn.invoke(x, a) })
	case *method:
		return fn.fn.invoke(x, fn.self, a)
	case *builtin:
		return fn.invoke(x, nil, a)
	case *loop:
		return fn.recurse(x, a)
	case *blockRef:
		return x.capturedValue(func() { x.inner(x.scope.root(), fn.b.vars, fn.b.body) })
	case *cycler:
		x.fail("TypeError: 'Cycler' object is not callable")
	case *joiner:
		return fn.call()
	case *undefined:
		x.refuse(fn)
	}
	x.fail("TypeError: '%s' object is not callable", fn.typeName())
	return nil
}

func callable(v Value) bool {
	switch v.(type) {
	case *macro, *method, *builtin, *loop, *blockRef, *joiner, *undefined:
		return true
	}
	return false
}

// callBlock is {% call(args) macro() %}…{% endcall %}.
type callBlock struct {
	def  *macroDef
	call *callExpr
	line int
}

func (s *callBlock) run(x *exec) signal {
	x.nest()
	defer x.unnest()
	x.line = s.line
	fn := s.call.fn.eval(x)
	a := s.call.args.eval(x)
	for _, name := range a.names {
		if name == "caller" {
			x.fail("TypeError: got multiple values for keyword argument 'caller'")
		}
	}
	a.names = a.names[:len(a.names):len(a.names)]
	a.add("caller", &macro{s.def, x.scope})
	x.line = s.line
	x.writeCall(fn, a)
	return goOn
}
