package jinja

// captured stands for the text of a set or filter block in its filters.
type captured struct{}

func (captured) eval(x *exec) Value { return x.lookup(capturedID) }

type filterExpr struct {
	arg  expr
	fn   *builtin // nil for unknown ones
	name string
	args callSpec
	line int
}

func (e *filterExpr) eval(x *exec) Value {
	x.nest()
	defer x.unnest()
	if e.fn == nil {
		x.line = e.line
		x.fail("TemplateRuntimeError: No filter named '%s' found.", e.name)
	}
	v := e.arg.eval(x)
	a := e.args.eval(x)
	x.line = e.line
	return e.fn.invoke(x, v, a)
}

// filtered applies the filters of a block to its captured text.
func (x *exec) filtered(filter expr, v Value) Value {
	if filter == nil {
		return v
	}
	old := x.push(x.scope, noVars)
	x.set(capturedID, v)
	v = filter.eval(x)
	x.scope = old
	return v
}

// capturedID is the number of the variable behind captured: no name has it.
const capturedID = -1

// noVars is a frame without names.
var noVars = &frame{}

type testExpr struct {
	arg  expr
	fn   *builtin
	name string
	args callSpec
	line int
}

func (e *testExpr) eval(x *exec) Value {
	x.nest()
	defer x.unnest()
	if e.fn == nil {
		x.line = e.line
		x.fail("TemplateRuntimeError: No test named '%s' found.", e.name)
	}
	v := e.arg.eval(x)
	a := e.args.eval(x)
	x.line = e.line
	return e.fn.invoke(x, v, a)
}
