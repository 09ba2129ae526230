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
	s := &setBlock{target: to, aside: aside{line: line}}
	to.note(p, eventStore)
	s.vars = p.scoped(false, func() {
		if p.cur.op("|") {
			s.filter = p.filters(captured{})
		}
		s.body = p.bodyTo("endset")
	})
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
