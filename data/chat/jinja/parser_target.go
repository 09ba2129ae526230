package jinja

// targetRules say what an assignment may name.
type targetRules struct {
	namespace bool   // ns.attribute is allowed
	end       string // name that ends a tuple of targets
}

// nameTarget parses the name of a macro, a parameter or an import.
func (p *parser) nameTarget() nameTarget {
	t := p.expectKind(tokName)
	return p.assignable(t)
}

func (p *parser) assignable(t token) nameTarget {
	switch t.text {
	case "true", "false", "none", "True", "False", "None":
		p.failAt(t.line, "can't assign to 'const'")
	}
	return nameTarget{p.symbol(t.text), t.text}
}

// target parses a name, ns.attribute, or several of them as a tuple.
func (p *parser) target(r targetRules) target {
	var items []target
	comma := false
	for {
		if len(items) > 0 {
			p.expectOp(",")
		}
		if p.tupleEnds(r.end) {
			break
		}
		items = append(items, p.oneTarget(r))
		if !p.cur.op(",") {
			break
		}
		comma = true
	}
	if !comma {
		if len(items) > 0 {
			return items[0]
		}
		p.fail("Expected an expression, got '%s'", p.cur.describe())
	}
	return tupleTarget(items)
}

func (p *parser) oneTarget(r targetRules) target {
	t := p.cur
	if t.op("(") {
		p.enter()
		defer p.leave()
		p.next()
		to := p.target(targetRules{})
		p.expectOp(")")
		return to
	}
	if t.kind != tokName {
		p.fail("can't assign to '%s'", t.describe())
	}
	p.next()
	name := p.assignable(t)
	if r.namespace && p.skipOp(".") {
		return attrTarget{name, p.expectKind(tokName).text, t.line}
	}
	return name
}
