package jinja

import (
	"math/big"
	"strconv"
	"strings"
)

// primary parses a name, a literal or something in brackets.
func (p *parser) primary() expr {
	t := p.cur
	switch t.kind {
	case tokName:
		p.next()
		return p.variable(t)
	case tokString:
		return p.literal()
	case tokInt:
		p.next()
		return constant{p.integer(t)}
	case tokFloat:
		p.next()
		f, _ := strconv.ParseFloat(t.text, 64) // out of range: infinite, as in Python
		return constant{float(f)}
	}
	switch {
	case t.op("("):
		p.next()
		e := p.tuple(tupleRules{condexpr: true, parens: true})
		p.expectOp(")")
		return e
	case t.op("["):
		return p.list()
	case t.op("{"):
		return p.dict()
	}
	p.fail("unexpected '%s'", t.describe())
	return nil
}

func (p *parser) variable(t token) expr {
	switch t.text {
	case "true", "True":
		return constant{boolean(true)}
	case "false", "False":
		return constant{boolean(false)}
	case "none", "None":
		return constant{none{}}
	case "loop", "caller", "kwargs", "varargs":
		p.uses[t.text]++
	}
	id := p.symbol(t.text)
	p.note(eventLoad, id)
	return &nameExpr{id, t.text}
}

// literal joins adjacent string literals.
func (p *parser) literal() expr {
	text := p.next().text
	if p.cur.kind == tokString {
		var b strings.Builder
		b.WriteString(text)
		for p.cur.kind == tokString {
			b.WriteString(p.next().text)
		}
		text = b.String()
	}
	return constant{str(text)}
}

func (p *parser) integer(t token) Value {
	if n, err := strconv.ParseInt(t.text, 0, 64); err == nil {
		return integer(n)
	}
	digits := strings.TrimLeft(t.text, "0_")
	if len(digits) > maxDigits {
		p.failAt(t.line, "Exceeds the limit (%d digits) for integer string conversion", maxDigits)
	}
	n, ok := new(big.Int).SetString(t.text, 0)
	if !ok {
		if n, ok = new(big.Int).SetString(t.text, 10); !ok {
			p.failAt(t.line, "invalid integer")
		}
	}
	return fromBig(n)
}

// tupleRules say how a tuple without brackets is read.
type tupleRules struct {
	condexpr bool   // conditional expressions are allowed
	parens   bool   // it stands in parentheses, so it may be empty
	end      string // name that ends it
}

func (p *parser) tupleEnds(end string) bool {
	return p.cur.kind == tokVarEnd || p.cur.kind == tokBlockEnd || p.cur.op(")") || end != "" && p.cur.is(end)
}

// tuple parses one expression, or several with commas between them as a tuple.
func (p *parser) tuple(r tupleRules) expr {
	one := p.or
	if r.condexpr {
		one = p.expression
	}
	p.enter()
	defer p.leave()
	var items []expr
	comma := false
	for {
		if len(items) > 0 {
			p.expectOp(",")
		}
		if p.tupleEnds(r.end) {
			break
		}
		items = append(items, one())
		if !p.cur.op(",") {
			break
		}
		comma = true
	}
	if !comma {
		if len(items) > 0 {
			return items[0]
		}
		if !r.parens {
			p.fail("Expected an expression, got '%s'", p.cur.describe())
		}
	}
	return &tupleExpr{items}
}

func (p *parser) list() expr {
	p.expectOp("[")
	var items []expr
	for !p.cur.op("]") {
		if len(items) > 0 {
			p.expectOp(",")
		}
		if p.cur.op("]") {
			break
		}
		items = append(items, p.expression())
	}
	p.expectOp("]")
	return &listExpr{items}
}

func (p *parser) dict() expr {
	d := &dictExpr{line: p.expectOp("{").line}
	for !p.cur.op("}") {
		if len(d.keys) > 0 {
			p.expectOp(",")
		}
		if p.cur.op("}") {
			break
		}
		d.keys = append(d.keys, p.expression())
		p.expectOp(":")
		d.values = append(d.values, p.expression())
	}
	p.expectOp("}")
	return d
}

func (p *parser) subscript(e expr) expr {
	t := p.next()
	if t.op(".") {
		a := p.next()
		switch a.kind {
		case tokName:
			return &attrExpr{e, a.text, t.line}
		case tokInt:
			return &itemExpr{e, constant{p.integer(a)}, t.line}
		}
		p.failAt(a.line, "expected name or number")
	}
	var args []expr
	var cut *sliceExpr
	for !p.cur.op("]") {
		if len(args) > 0 || cut != nil {
			p.expectOp(",")
		}
		arg, s := p.subscribed()
		if s != nil && cut != nil || len(args) > 0 && s != nil || cut != nil {
			p.failAt(t.line, "slices of several dimensions are not supported")
		}
		if s != nil {
			cut = s
		} else {
			args = append(args, arg)
		}
	}
	p.expectOp("]")
	switch {
	case cut != nil:
		cut.obj, cut.line = e, t.line
		return cut
	case len(args) == 1:
		return &itemExpr{e, args[0], t.line}
	}
	return &itemExpr{e, &tupleExpr{args}, t.line}
}

// subscribed parses what stands in [ ]: an expression or a slice.
func (p *parser) subscribed() (expr, *sliceExpr) {
	var s sliceExpr
	if !p.cur.op(":") {
		e := p.expression()
		if !p.cur.op(":") {
			return e, nil
		}
		s.lo = e
	}
	p.expectOp(":")
	ends := func() bool { return p.cur.op(":") || p.cur.op("]") || p.cur.op(",") }
	if !ends() {
		s.hi = p.expression()
	}
	if p.skipOp(":") && !ends() {
		s.step = p.expression()
	}
	return nil, &s
}

func (p *parser) call(e expr) expr {
	line := p.cur.line
	return &callExpr{e, p.arguments(), line}
}

// arguments parses "(a, b, key=c, *d, **e)".
func (p *parser) arguments() callSpec {
	var s callSpec
	line := p.expectOp("(").line
	ensure := func(ok bool) {
		if !ok {
			p.failAt(line, "invalid syntax for function call expression")
		}
	}
	for comma := false; !p.cur.op(")"); comma = true {
		if comma {
			if p.expectOp(","); p.cur.op(")") {
				break
			}
		}
		switch {
		case p.skipOp("*"):
			ensure(s.dynPos == nil && s.dynKw == nil)
			s.dynPos = p.expression()
		case p.skipOp("**"):
			ensure(s.dynKw == nil)
			s.dynKw = p.expression()
		case p.cur.kind == tokName && p.look().op("="):
			ensure(s.dynKw == nil)
			s.names = append(s.names, p.next().text)
			p.next()
			p.few(len(s.kw))
			s.kw = append(s.kw, p.expression())
		default:
			ensure(s.dynPos == nil && s.dynKw == nil && s.kw == nil)
			s.pos = append(s.pos, p.expression())
		}
	}
	p.expectOp(")")
	return s
}
