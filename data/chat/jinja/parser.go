package jinja

import (
	"fmt"
	"strings"
)

// maxNesting bounds how deep blocks and parentheses nest, and with it the
// parser's stack.
const maxNesting = 250

// parser turns tokens into statements by recursive descent. Its methods follow
// those of Jinja's parser, so that both accept the same templates.
type parser struct {
	lex     *lexer
	cur     token
	ahead   []token // at most one token
	env     *environment
	depth   int
	symbols map[string]int
	names   []string
	uses    map[string]int    // how often loop, caller, varargs and kwargs were read
	blocks  map[string]*block // by name
	marked  bool
	loops   int // enclosing for loops that break and continue may leave
	ends    [][]string

	// Unknown filters and tests. Inside if they fail when they are reached,
	// elsewhere when the template is parsed: settle and pardon decide.
	unknown []*Error
	settled []*Error

	// The current frame, where its uses of names are noted, and all frames
	// without parent.
	frame  *frame
	events *[]event
	roots  []*frame
}

func newParser(name, source string, env *environment) *parser {
	p := &parser{
		lex: newLexer(name, source), env: env,
		symbols: map[string]int{}, uses: map[string]int{}, blocks: map[string]*block{},
	}
	p.cur = p.lex.next()
	p.frame = &frame{}
	p.roots = []*frame{p.frame}
	p.events = &p.frame.events
	return p
}

func (p *parser) failAt(line int, format string, args ...any) {
	panic(&Error{Template: p.lex.name, Line: line, Message: fmt.Sprintf(format, args...), Kind: ErrTemplate})
}

func (p *parser) fail(format string, args ...any) { p.failAt(p.cur.line, format, args...) }

// next returns the current token and moves on.
func (p *parser) next() token {
	t := p.cur
	if len(p.ahead) > 0 {
		p.cur, p.ahead = p.ahead[0], p.ahead[:0]
	} else {
		p.cur = p.lex.next()
	}
	return t
}

// look returns the token after the current one.
func (p *parser) look() token {
	if len(p.ahead) == 0 {
		p.ahead = append(p.ahead, p.lex.next())
	}
	return p.ahead[0]
}

func (p *parser) skipName(name string) bool {
	if p.cur.is(name) {
		p.next()
		return true
	}
	return false
}

func (p *parser) skipOp(op string) bool {
	if p.cur.op(op) {
		p.next()
		return true
	}
	return false
}

func (p *parser) expectOp(op string) token {
	if !p.cur.op(op) {
		p.fail("expected token '%s', got '%s'", op, p.cur.describe())
	}
	return p.next()
}

func (p *parser) expectName(name string) token {
	if !p.cur.is(name) {
		p.fail("expected token '%s', got '%s'", name, p.cur.describe())
	}
	return p.next()
}

func (p *parser) expectKind(k kind) token {
	if p.cur.kind != k {
		p.fail("expected token '%s', got '%s'", token{kind: k, text: "name"}.describe(), p.cur.describe())
	}
	return p.next()
}

// enter counts a level of nesting; leave takes it back.
func (p *parser) enter() {
	if p.depth++; p.depth > maxNesting {
		panic(&Error{
			Template: p.lex.name, Line: p.cur.line, Kind: ErrLimit,
			Message: fmt.Sprintf("blocks and expressions nest deeper than %d", maxNesting),
		})
	}
}

// maxArguments bounds the arguments of a call and the parameters of a macro, which
// are matched by name one with another.
const maxArguments = 1000

func (p *parser) few(n int) {
	if n >= maxArguments {
		panic(&Error{
			Template: p.lex.name, Line: p.cur.line, Kind: ErrLimit,
			Message: fmt.Sprintf("more than %d arguments", maxArguments),
		})
	}
}

func (p *parser) leave() { p.depth-- }

// symbol returns the number of a variable's name.
func (p *parser) symbol(name string) int {
	id, ok := p.symbols[name]
	if !ok {
		id = len(p.names)
		p.symbols[name] = id
		p.names = append(p.names, name)
	}
	return id
}

// parse reads the whole template.
func (p *parser) parse() []stmt {
	body := p.until(nil)
	p.settle(0)
	if len(p.settled) > 0 {
		panic(p.settled[0])
	}
	for _, f := range p.roots {
		f.resolve()
	}
	return body
}

// settle makes unknown names found since mark faults of the template.
func (p *parser) settle(mark int) {
	p.settled = append(p.settled, p.unknown[mark:]...)
	p.unknown = p.unknown[:mark]
}

// pardon leaves unknown names found since mark to the evaluation.
func (p *parser) pardon(mark int) { p.unknown = p.unknown[:mark] }

// body parses the statements of a block tag up to one of the end tags, which
// becomes the current token.
func (p *parser) body(ends ...string) []stmt {
	p.skipOp(":")
	p.expectKind(tokBlockEnd)
	p.ends = append(p.ends, ends)
	out := p.until(ends)
	if p.cur.kind == tokEOF {
		p.failTag(p.cur)
	}
	p.ends = p.ends[:len(p.ends)-1]
	return out
}

// bodyTo is body with the end tag's name taken.
func (p *parser) bodyTo(end string) []stmt {
	out := p.body(end)
	p.next()
	return out
}

// until parses text, output and statements up to one of the end tags or the end
// of the template.
func (p *parser) until(ends []string) []stmt {
	p.enter()
	defer p.leave()
	var out []stmt
	for {
		switch t := p.cur; t.kind {
		case tokEOF:
			return out
		case tokData:
			p.next()
			out = append(out, &text{t.text})
		case tokVarBegin:
			p.next()
			e := p.tuple(tupleRules{condexpr: true})
			p.expectKind(tokVarEnd)
			out = append(out, &output{e, t.line})
		case tokBlockBegin:
			p.next()
			for _, end := range ends {
				if p.cur.is(end) {
					return out
				}
			}
			out = append(out, p.statement()...)
			p.expectKind(tokBlockEnd)
		default:
			p.fail("unexpected '%s'", t.describe())
		}
	}
}

// failTag reports an unknown tag, or with the end of the template that tags were
// still open.
func (p *parser) failTag(t token) {
	msg := "Unexpected end of template."
	if t.kind == tokName {
		msg = fmt.Sprintf("Encountered unknown tag '%s'.", t.text)
	}
	if len(p.ends) > 0 {
		msg += fmt.Sprintf(" Jinja was looking for the following tags: '%s'.", strings.Join(p.ends[len(p.ends)-1], "' or '"))
	}
	p.failAt(t.line, "%s", msg)
}
