package jinja

// statement parses the tag whose name is the current token, up to but without
// the tag's end.
func (p *parser) statement() []stmt {
	t := p.cur
	if t.kind != tokName {
		p.fail("tag name expected")
	}
	p.enter()
	defer p.leave()
	p.next()
	return p.tag(t)
}

// tag parses what follows the name of a tag.
func (p *parser) tag(t token) []stmt {
	one := func(parse func(line int) stmt) []stmt { return []stmt{parse(t.line)} }
	switch t.text {
	case "for":
		return one(p.parseFor)
	case "if":
		return one(p.parseIf)
	case "set":
		return one(p.parseSet)
	case "macro":
		return one(p.parseMacro)
	case "call":
		return one(p.parseCallBlock)
	case "filter":
		return one(p.parseFilterBlock)
	case "with":
		return one(p.parseWith)
	case "block":
		return one(p.parseBlock)
	case "autoescape":
		return one(p.parseAutoescape)
	case "generation":
		return one(p.parseGeneration)
	case "break":
		return one(p.parseBreak)
	case "continue":
		return one(p.parseContinue)
	case "print":
		return p.parsePrint(t.line)
	case "include":
		return one(p.parseInclude)
	case "import":
		return one(p.parseImport)
	case "from":
		return one(p.parseFrom)
	case "extends":
		return one(p.parseExtends)
	}
	p.failTag(t)
	return nil
}

// frame runs parse for a block that Jinja compiles as a frame of its own: unknown
// filters in it are faults even inside if. Function frames also end the reach of
// break and continue.
func (p *parser) frame(function bool, parse func()) {
	mark, loops := len(p.unknown), p.loops
	if function {
		p.loops = 0
	}
	parse()
	p.settle(mark)
	p.loops = loops
}

func (p *parser) parseFor(line int) stmt {
	s := &forStmt{line: line}
	s.target = p.target(targetRules{end: "in"})
	p.expectName("in")
	s.iter = p.tuple(tupleRules{end: "recursive"})
	p.frame(false, func() {
		if p.skipName("if") {
			s.test = p.expression()
		}
		s.recursive = p.skipName("recursive")
		p.loops++
		before := p.uses["loop"]
		s.body = p.body("endfor", "else")
		s.usesLoop = s.recursive || p.uses["loop"] > before
		p.loops--
		if p.next().text == "else" {
			s.orElse = p.bodyTo("endfor")
		}
	})
	s.loopID = p.symbol("loop")
	return s
}

func (p *parser) parseIf(line int) stmt {
	s := &ifStmt{}
	mark := len(p.unknown)
	for {
		b := branch{line: line, test: p.tuple(tupleRules{})}
		b.body = p.body("elif", "else", "endif")
		s.branches = append(s.branches, b)
		t := p.next()
		line = p.cur.line
		if t.text == "else" {
			s.orElse = p.bodyTo("endif")
		}
		if t.text != "elif" {
			break
		}
	}
	p.pardon(mark)
	return s
}

func (p *parser) parseSet(line int) stmt {
	to := p.target(targetRules{namespace: true})
	if p.skipOp("=") {
		return &setStmt{to, p.tuple(tupleRules{condexpr: true}), line}
	}
	s := &setBlock{target: to, line: line}
	p.frame(false, func() {
		if p.cur.op("|") {
			s.filter = p.filters(captured{})
		}
		s.body = p.bodyTo("endset")
	})
	return s
}

func (p *parser) parseMacro(line int) stmt {
	name := p.nameTarget()
	m := &macroDef{name: name.name, line: line}
	s := &macroStmt{target: name, def: m}
	p.frame(true, func() {
		p.signature(m)
		p.macroBody(m, "endmacro")
	})
	return s
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
		if p.uses[name] == before[i] || m.has(p.symbol(name)) {
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
	if i := m.index("caller"); i >= 0 && i < len(m.params)-len(m.defaults) {
		p.failAt(m.line, `When defining macros or call blocks the special "caller" argument must be omitted or be given a default.`)
	}
}

// signature parses "(a, b=1)".
func (p *parser) signature(m *macroDef) {
	p.expectOp("(")
	for !p.cur.op(")") {
		if len(m.params) > 0 {
			p.expectOp(",")
		}
		n := p.nameTarget()
		if m.has(n.id) {
			p.fail("duplicate argument '%s' in function definition", n.name)
		}
		if p.skipOp("=") {
			m.defaults = append(m.defaults, p.expression())
		} else if len(m.defaults) > 0 {
			p.fail("non-default argument follows default argument")
		}
		m.params = append(m.params, n)
	}
	p.expectOp(")")
}

func (p *parser) parseCallBlock(line int) stmt {
	m := &macroDef{name: "caller", line: line}
	s := &callBlock{def: m, line: line}
	if p.cur.op("(") {
		p.signature(m)
	}
	call, ok := p.expression().(*callExpr)
	if !ok {
		p.failAt(line, "expected call")
	}
	s.call = call
	p.frame(true, func() { p.macroBody(m, "endcall") })
	return s
}

func (p *parser) parseFilterBlock(line int) stmt {
	s := &filterBlock{line: line}
	p.frame(false, func() {
		s.filter = p.filters(p.filter(captured{}))
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
	p.frame(false, func() { s.body = p.bodyTo("endwith") })
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
	p.frame(true, func() { b.body = p.bodyTo("endblock") })
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
	s := &autoescapeStmt{line: line, on: p.expression()}
	p.frame(false, func() { s.body = p.bodyTo("endautoescape") })
	return s
}

func (p *parser) parseGeneration(line int) stmt {
	s := &generation{line: line}
	p.marked = true
	p.frame(true, func() { s.body = p.bodyTo("endgeneration") })
	return s
}

func (p *parser) parseBreak(line int) stmt {
	if p.loops == 0 {
		p.failAt(line, "'break' outside loop")
	}
	return leave(breakLoop)
}

func (p *parser) parseContinue(line int) stmt {
	if p.loops == 0 {
		p.failAt(line, "'continue' not properly in loop")
	}
	return leave(continueLoop)
}

func (p *parser) parsePrint(line int) []stmt {
	var out []stmt
	for p.cur.kind != tokBlockEnd {
		if len(out) > 0 {
			p.expectOp(",")
		}
		out = append(out, &output{p.expression(), line})
	}
	return out
}
