package jinja

// target is what an assignment writes to.
type target interface {
	assign(x *exec, v Value)
	// note tells the parser's frame which names are set.
	note(p *parser, kind eventKind)
}

type nameTarget struct {
	id   int
	name string
}

func (t nameTarget) assign(x *exec, v Value) { x.set(t.id, v) }

func (t nameTarget) note(p *parser, kind eventKind) { p.note(kind, t.id) }

type tupleTarget []target

func (t tupleTarget) note(p *parser, kind eventKind) {
	for _, item := range t {
		item.note(p, kind)
	}
}

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

func (t attrTarget) note(p *parser, _ eventKind) { p.note(eventLoad, t.name.id) }

func (t attrTarget) assign(x *exec, v Value) {
	ns, ok := x.lookup(t.name.id).(*namespace)
	if !ok {
		x.line = t.line
		x.fail("TemplateRuntimeError: cannot assign attribute on non-namespace object")
	}
	ns.fields.setField(t.attr, v)
}
