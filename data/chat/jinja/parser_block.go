package jinja

func (p *parser) parseMacro(line int) stmt {
	name := p.nameTarget()
	name.note(p, eventStore)
	m := &macroDef{name: name.name, line: line}
	m.vars = p.scoped(true, func() {
		p.signature(m)
		p.macroBody(m, "endmacro")
	})
	return &macroStmt{target: name, def: m}
}

// macroBody parses the body and notes which special variables it reads.
func (p *parser) macroBody(m *macroDef, end string) {
	special := []string{"caller", "kwargs", "varargs"}
	before := make([]int, len(special))
	for i, name := range special {
		before[i] = p.uses[name]
	}
	m.body = p.bodyTo(end)
	for i, name := range special {
		if p.uses[name] == before[i] {
			continue
		}
		p.frame.events = append([]event{{kind: eventParam, id: p.symbol(name)}}, p.frame.events...)
		if m.has(p.symbol(name)) {
			p.explicitCaller(m, name)
			continue
		}
		switch name {
		case "caller":
			m.caller = true
		case "kwargs":
			m.kwargs = true
		case "varargs":
			m.varargs = true
		}
	}
	m.callerID, m.kwargsID, m.varargsID = p.symbol("caller"), p.symbol("kwargs"), p.symbol("varargs")
}

// explicitCaller wants a default for a parameter named caller.
func (p *parser) explicitCaller(m *macroDef, name string) {
	if name == "caller" && m.index(name) < len(m.params)-len(m.defaults) {
		p.failAt(m.line, `When defining macros or call blocks the special "caller" argument must be omitted or be given a default.`)
	}
}

// signature parses "(a, b=1)".
func (p *parser) signature(m *macroDef) {
	var loads []event // of the defaults, which come behind all parameters
	p.expectOp("(")
	for !p.cur.op(")") {
		if len(m.params) > 0 {
			p.expectOp(",")
		}
		n := p.nameTarget()
		if m.has(n.id) {
			p.fail("duplicate argument '%s' in function definition", n.name)
		}
		n.note(p, eventParam)
		p.few(len(m.params))
		if p.skipOp("=") {
			loads = append(loads, p.collect(func() { m.defaults = append(m.defaults, p.expression()) })...)
		} else if len(m.defaults) > 0 {
			p.fail("non-default argument follows default argument")
		}
		m.params = append(m.params, n)
	}
	p.expectOp(")")
	*p.events = append(*p.events, loads...)
}

func (p *parser) parseCallBlock(line int) stmt {
	m := &macroDef{name: "caller", line: line}
	s := &callBlock{def: m, line: line}
	m.vars = p.scoped(true, func() {
		if p.cur.op("(") {
			p.signature(m)
		}
		p.outside(func() { s.call = p.called(line) })
		p.macroBody(m, "endcall")
	})
	return s
}

// called parses the call of a call block.
func (p *parser) called(line int) *callExpr {
	call, ok := p.expression().(*callExpr)
	if !ok {
		p.failAt(line, "expected call")
	}
	return call
}

// outside runs parse for the frame around the current one.
func (p *parser) outside(parse func()) {
	inner, sink := p.frame, p.events
	p.frame, p.events = inner.parent, &inner.parent.events
	parse()
	p.frame, p.events = inner, sink
}

func (p *parser) parseFilterBlock(line int) stmt {
	s := &filterBlock{aside{line: line}}
	s.vars = p.scoped(false, func() {
		p.outside(func() { s.filter = p.filters(p.filter(captured{})) })
		s.body = p.bodyTo("endfilter")
	})
	return s
}

func (p *parser) parseWith(line int) stmt {
	s := &withStmt{line: line}
	for p.cur.kind != tokBlockEnd {
		if len(s.targets) > 0 {
			p.expectOp(",")
		}
		s.targets = append(s.targets, p.target(targetRules{}))
		p.expectOp("=")
		s.values = append(s.values, p.expression())
	}
	s.vars = p.scoped(false, func() {
		for _, t := range s.targets {
			t.note(p, eventParam)
		}
		s.body = p.bodyTo("endwith")
	})
	return s
}

func (p *parser) parseBlock(line int) stmt {
	b := &block{name: p.expectKind(tokName).text, line: line}
	b.scoped = p.skipName("scoped")
	required := p.skipName("required")
	if p.cur.op("-") {
		p.fail("Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use an underscore instead.")
	}
	if _, ok := p.blocks[b.name]; ok {
		p.failAt(line, "block '%s' defined twice", b.name)
	}
	p.blocks[b.name] = b
	b.vars = &frame{}
	p.roots = append(p.roots, b.vars)
	p.enterFrame(b.vars, true, func() { b.body = p.bodyTo("endblock") })
	if required {
		p.requireBlank(b)
	}
	p.skipName(b.name)
	return b
}

// requireBlank holds the body of a required block to white space.
func (p *parser) requireBlank(b *block) {
	for _, s := range b.body {
		if t, ok := s.(*text); !ok || !blank(t.text) {
			p.fail("Required blocks can only contain comments or whitespace")
		}
	}
	b.required = true
}

func (p *parser) parseAutoescape(line int) stmt {
	s := &autoescapeStmt{line: line}
	s.vars = p.scoped(false, func() {
		s.on = p.expression()
		s.body = p.bodyTo("endautoescape")
	})
	return s
}

func (p *parser) parseGeneration(line int) stmt {
	s := &generation{line: line}
	p.marked = true
	s.vars = p.scoped(true, func() { s.body = p.bodyTo("endgeneration") })
	return s
}
