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

// scoped runs parse for a block that Jinja compiles as a frame of its own: unknown
// filters in it are faults even inside if. Function frames also end the reach of
// break and continue.
func (p *parser) scoped(function bool, parse func()) *frame {
	f := &frame{parent: p.frame}
	p.frame.children = append(p.frame.children, f)
	p.enterFrame(f, function, parse)
	return f
}

func (p *parser) enterFrame(f *frame, function bool, parse func()) {
	mark, loops, outer, sink := len(p.unknown), p.loops, p.frame, p.events
	if function {
		p.loops = 0
	}
	p.frame, p.events = f, &f.events
	parse()
	p.settle(mark)
	p.loops, p.frame, p.events = loops, outer, sink
}

func (p *parser) parseFor(line int) stmt {
	s := &forStmt{line: line, loopID: p.symbol("loop")}
	s.target = p.target(targetRules{end: "in"})
	p.expectName("in")
	s.iter = p.tuple(tupleRules{end: "recursive"})
	if p.skipName("if") {
		s.testVars = p.scoped(false, func() {
			s.target.note(p, eventParam)
			s.test = p.expression()
		})
	}
	s.recursive = p.skipName("recursive")
	s.vars = p.scoped(false, func() {
		s.target.note(p, eventParam)
		p.loops++
		before := p.uses["loop"]
		s.body = p.body("endfor", "else")
		s.usesLoop = s.recursive || p.uses["loop"] > before
		p.loops--
		if s.usesLoop {
			p.frame.events = append([]event{{kind: eventParam, id: s.loopID}}, p.frame.events...)
		}
	})
	if p.next().text == "else" {
		s.elseVars = p.scoped(false, func() { s.orElse = p.bodyTo("endfor") })
	}
	return s
}

func (p *parser) parseIf(line int) stmt {
	s := &ifStmt{}
	mark := len(p.unknown)
	one := event{kind: eventIf}
	more := p.branch(s, line, &one.branches[0])
	if more == "elif" {
		one.branches[1] = p.collect(func() {
			for more == "elif" {
				elif := event{kind: eventIf}
				more = p.branch(s, p.cur.line, &elif.branches[0])
				*p.events = append(*p.events, elif)
			}
		})
	}
	if more == "else" {
		one.branches[2] = p.collect(func() { s.orElse = p.bodyTo("endif") })
	}
	*p.events = append(*p.events, one)
	p.pardon(mark)
	return s
}

// branch parses a test and what is done if it holds, and returns the name of the
// tag behind.
func (p *parser) branch(s *ifStmt, line int, events *[]event) string {
	b := branch{line: line, test: p.tuple(tupleRules{})}
	*events = p.collect(func() { b.body = p.body("elif", "else", "endif") })
	s.branches = append(s.branches, b)
	return p.next().text
}

func (p *parser) parseSet(line int) stmt {
	to := p.target(targetRules{namespace: true})
	if p.skipOp("=") {
		s := &setStmt{to, p.tuple(tupleRules{condexpr: true}), line}
		to.note(p, eventStore)
		return s
	}
	s := &setBlock{target: to, line: line}
	to.note(p, eventStore)
	s.vars = p.scoped(false, func() {
		if p.cur.op("|") {
			s.filter = p.filters(captured{})
		}
		s.body = p.bodyTo("endset")
	})
	return s
}

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
	s := &filterBlock{line: line}
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
