package jinja

// captured stands for the text of a set or filter block in its filters.
type captured struct{}

func (captured) eval(x *exec) Value { return x.lookup(capturedID) }

// applied is a filter or test with what it is applied to.
type applied struct {
	arg  expr
	fn   *builtin // nil for unknown ones
	name string
	args callSpec
	line int
}

func (e *applied) apply(x *exec, kind string) Value {
	x.nest()
	defer x.unnest()
	if e.fn == nil {
		x.line = e.line
		x.fail("TemplateRuntimeError: No %s named '%s' found.", kind, e.name)
	}
	v := e.arg.eval(x)
	a := e.args.eval(x)
	x.line = e.line
	return e.fn.invoke(x, v, a)
}

type filterExpr struct{ applied }

func (e *filterExpr) eval(x *exec) Value { return e.apply(x, "filter") }

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

type testExpr struct{ applied }

func (e *testExpr) eval(x *exec) Value { return e.apply(x, "test") }
