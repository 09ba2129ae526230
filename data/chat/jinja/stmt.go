package jinja

import "strings"

// stmt is a statement of a template.
type stmt interface {
	run(x *exec) signal
}

// signal says how a statement ended.
type signal uint8

const (
	goOn signal = iota
	breakLoop
	continueLoop
)

// run executes statements until one leaves the loop.
func (x *exec) run(body []stmt) signal {
	for _, s := range body {
		if sig := s.run(x); sig != goOn {
			return sig
		}
	}
	return goOn
}

// inner executes the statements of a frame in a scope inside parent.
func (x *exec) inner(parent *scope, f *frame, body []stmt) signal {
	old := x.push(parent, f)
	sig := x.run(body)
	x.scope = old
	return sig
}

type text struct{ text string }

func (s *text) run(x *exec) signal {
	x.write(s.text)
	return goOn
}

func blank(s string) bool { return strings.TrimLeftFunc(s, isSpace) == "" }

// output is {{ expression }}.
type output struct {
	e    expr
	line int
}

func (s *output) run(x *exec) signal {
	x.nest()
	x.line = s.line
	if c, ok := s.e.(*callExpr); !ok || !c.direct(x) {
		x.print(s.e.eval(x))
	}
	x.unnest()
	return goOn
}

// print writes str(v), escaped if autoescape asks for it.
func (x *exec) print(v Value) {
	if x.escape {
		x.write(string(x.escaped(v)))
		return
	}
	x.write(x.str(v))
}

type branch struct {
	test expr
	body []stmt
	line int
}

type ifStmt struct {
	branches []branch
	orElse   []stmt
}

func (s *ifStmt) run(x *exec) signal {
	x.nest()
	defer x.unnest()
	for i := range s.branches {
		b := &s.branches[i]
		x.line = b.line
		if x.truth(b.test.eval(x)) {
			return x.run(b.body)
		}
	}
	return x.run(s.orElse)
}

type setStmt struct {
	to   target
	e    expr
	line int
}

func (s *setStmt) run(x *exec) signal {
	x.nest()
	x.line = s.line
	v := s.e.eval(x)
	x.line = s.line
	s.to.assign(x, v)
	x.unnest()
	return goOn
}

// aside is a body whose text is not written where it stands.
type aside struct {
	filter expr // over captured, or nil
	body   []stmt
	vars   *frame
	line   int
}

// text is the filtered text; it counts only if the signal is goOn.
func (s *aside) text(x *exec) (v Value, sig signal) {
	v = x.capturedValue(func() { sig = x.inner(x.scope, s.vars, s.body) })
	if sig != goOn {
		return nil, sig
	}
	x.line = s.line
	return x.filtered(s.filter, v), goOn
}

// setBlock is {% set x %}…{% endset %}.
type setBlock struct {
	target target
	aside
}

func (s *setBlock) run(x *exec) signal {
	x.nest()
	defer x.unnest()
	v, sig := s.text(x)
	if sig == goOn {
		s.target.assign(x, v)
	}
	return sig
}

// filterBlock is {% filter f %}…{% endfilter %}.
type filterBlock struct{ aside }

func (s *filterBlock) run(x *exec) signal {
	x.nest()
	defer x.unnest()
	v, sig := s.text(x)
	if sig == goOn {
		x.write(x.str(v))
	}
	return sig
}

// withStmt is {% with a=1 %}…{% endwith %}. Values do not see the new names.
type withStmt struct {
	targets []target
	values  []expr
	body    []stmt
	vars    *frame
	line    int
}

func (s *withStmt) run(x *exec) signal {
	x.nest()
	defer x.unnest()
	x.line = s.line
	values := make([]Value, len(s.values))
	for i, e := range s.values {
		values[i] = e.eval(x)
	}
	old := x.push(x.scope, s.vars)
	for i, t := range s.targets {
		t.assign(x, values[i])
	}
	sig := x.run(s.body)
	x.scope = old
	return sig
}

// autoescapeStmt switches HTML escaping on or off.
type autoescapeStmt struct {
	on   expr
	body []stmt
	vars *frame
	line int
}

func (s *autoescapeStmt) run(x *exec) signal {
	x.nest()
	defer x.unnest()
	x.line = s.line
	was := x.escape
	x.escape = x.truth(s.on.eval(x))
	sig := x.inner(x.scope, s.vars, s.body)
	x.escape = was
	return sig
}
