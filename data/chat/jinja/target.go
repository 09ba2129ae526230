package jinja

// target is what an assignment writes to.
type target interface {
	assign(x *exec, v Value)
}

type nameTarget struct {
	id   int
	name string
}

func (t nameTarget) assign(x *exec, v Value) { x.scope.set(t.id, v) }

type tupleTarget []target

func (t tupleTarget) assign(x *exec, v Value) {
	next := x.iterate(v)
	for i, item := range t {
		v, ok := next()
		if !ok {
			x.fail("ValueError: not enough values to unpack (expected %d, got %d)", len(t), i)
		}
		item.assign(x, v)
	}
	if _, more := next(); more {
		x.fail("ValueError: too many values to unpack (expected %d)", len(t))
	}
}

// attrTarget is ns.attribute.
type attrTarget struct {
	name nameTarget
	attr string
	line int
}

func (t attrTarget) assign(x *exec, v Value) {
	ns, ok := x.scope.lookup(t.name.id).(*namespace)
	if !ok {
		x.line = t.line
		x.fail("TemplateRuntimeError: cannot assign attribute on non-namespace object")
	}
	ns.fields.setField(t.attr, v)
}
