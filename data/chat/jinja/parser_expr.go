package jinja

// expression parses an expression with everything, conditional ones included.
func (p *parser) expression() expr {
	p.enter()
	defer p.leave()
	mark := len(p.unknown)
	line := p.cur.line
	e := p.or()
	for p.skipName("if") {
		c := &condExpr{then: e, test: p.or(), line: line}
		if p.skipName("else") {
			c.orElse = p.expression()
		}
		p.pardon(mark)
		e = c
		line = p.cur.line
	}
	return e
}

func (p *parser) or() expr {
	e := p.and()
	for p.skipName("or") {
		e = &orExpr{e, p.and()}
	}
	return e
}

func (p *parser) and() expr {
	e := p.not()
	for p.skipName("and") {
		e = &andExpr{e, p.not()}
	}
	return e
}

func (p *parser) not() expr {
	if !p.cur.is("not") {
		return p.compare()
	}
	p.enter()
	defer p.leave()
	p.next()
	return &notExpr{p.not()}
}

func (p *parser) compare() expr {
	c := &compareExpr{first: p.sum(), line: p.cur.line}
	for {
		switch t := p.cur; {
		case t.op("==") || t.op("!=") || t.op("<") || t.op("<=") || t.op(">") || t.op(">="):
			p.next()
			c.rest = append(c.rest, operand{t.text, p.sum()})
		case t.is("in"):
			p.next()
			c.rest = append(c.rest, operand{"in", p.sum()})
		case t.is("not") && p.look().is("in"):
			p.next()
			p.next()
			c.rest = append(c.rest, operand{"not in", p.sum()})
		default:
			if c.rest == nil {
				return c.first
			}
			return c
		}
	}
}

// binary parses a left-associative chain of operators.
func (p *parser) binary(operand func() expr, ops ...string) expr {
	e := operand()
	for {
		found := ""
		for _, op := range ops {
			if p.cur.op(op) {
				found = op
			}
		}
		if found == "" {
			return e
		}
		line := p.next().line
		e = &binaryExpr{found, e, operand(), line}
	}
}

func (p *parser) sum() expr     { return p.binary(p.concat, "+", "-") }
func (p *parser) product() expr { return p.binary(p.power, "*", "/", "//", "%") }
func (p *parser) power() expr   { return p.binary(p.filteredUnary, "**") }

func (p *parser) concat() expr {
	first := p.product()
	if !p.cur.op("~") {
		return first
	}
	c := &concatExpr{[]expr{first}, p.cur.line}
	for p.skipOp("~") {
		c.parts = append(c.parts, p.product())
	}
	return c
}

func (p *parser) filteredUnary() expr { return p.filterChain(p.unary()) }

// unary parses signs and a primary with its subscripts and calls, without
// filters: -x|abs is (-x)|abs.
func (p *parser) unary() expr {
	p.enter()
	defer p.leave()
	line := p.cur.line
	var e expr
	switch {
	case p.skipOp("-"):
		e = &signExpr{true, p.unary(), line}
	case p.skipOp("+"):
		e = &signExpr{false, p.unary(), line}
	default:
		e = p.primary()
	}
	return p.postfix(e)
}

// postfix parses subscripts, attributes and calls.
func (p *parser) postfix(e expr) expr {
	for {
		switch {
		case p.cur.op("."), p.cur.op("["):
			e = p.subscript(e)
		case p.cur.op("("):
			e = p.call(e)
		default:
			return e
		}
	}
}

// filterChain parses filters, tests and calls.
func (p *parser) filterChain(e expr) expr {
	for {
		switch {
		case p.skipOp("|"):
			e = p.filter(e)
		case p.cur.is("is"):
			e = p.test(e)
		case p.cur.op("("):
			e = p.call(e)
		default:
			return e
		}
	}
}

// filters parses filters only.
func (p *parser) filters(e expr) expr {
	for p.skipOp("|") {
		e = p.filter(e)
	}
	return e
}

// filter parses the name and arguments of one filter.
func (p *parser) filter(e expr) expr {
	f := &filterExpr{applied{arg: e}}
	f.name, f.line = p.dottedName()
	if p.cur.op("(") {
		f.args = p.arguments()
	}
	if f.fn = p.env.filters[f.name]; f.fn == nil {
		p.unknown = append(p.unknown, &Error{p.lex.name, f.line, "No filter named '" + f.name + "'.", ErrTemplate})
	}
	return f
}

func (p *parser) dottedName() (string, int) {
	t := p.expectKind(tokName)
	name := t.text
	for p.skipOp(".") {
		name += "." + p.expectKind(tokName).text
	}
	return name, t.line
}

// test parses "is name", "is not name(…)" or "is name argument".
func (p *parser) test(e expr) expr {
	t := &testExpr{applied{arg: e, line: p.next().line}}
	negated := p.skipName("not")
	t.name, _ = p.dottedName()
	switch {
	case p.cur.op("("):
		t.args = p.arguments()
	case p.startsArgument():
		if p.cur.is("is") {
			p.fail("You cannot chain multiple tests with is")
		}
		t.args.pos = []expr{p.postfix(p.primary())}
	}
	if t.fn = p.env.tests[t.name]; t.fn == nil {
		p.unknown = append(p.unknown, &Error{p.lex.name, t.line, "No test named '" + t.name + "'.", ErrTemplate})
	}
	if negated {
		return &notExpr{t}
	}
	return t
}

// startsArgument tells whether a test's argument without parentheses follows.
func (p *parser) startsArgument() bool {
	switch p.cur.kind {
	case tokName:
		return !p.cur.is("else") && !p.cur.is("or") && !p.cur.is("and")
	case tokString, tokInt, tokFloat:
		return true
	}
	return p.cur.op("[") || p.cur.op("{")
}
