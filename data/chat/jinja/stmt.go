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

// setBlock is {% set x %}…{% endset %}.
type setBlock struct {
	target target
	filter expr // over captured, or nil
	body   []stmt
	vars   *frame
	line   int
}

func (s *setBlock) run(x *exec) signal {
	x.nest()
	defer x.unnest()
	sig := goOn
	v := x.capturedValue(func() { sig = x.inner(x.scope, s.vars, s.body) })
	if sig != goOn {
		return sig
	}
	x.line = s.line
	s.target.assign(x, x.filtered(s.filter, v))
	return goOn
}

// filterBlock is {% filter f %}…{% endfilter %}.
type filterBlock struct {
	filter expr
	body   []stmt
	vars   *frame
	line   int
}

func (s *filterBlock) run(x *exec) signal {
	x.nest()
	defer x.unnest()
	sig := goOn
	v := x.capturedValue(func() { sig = x.inner(x.scope, s.vars, s.body) })
	if sig != goOn {
		return sig
	}
	x.line = s.line
	x.write(x.str(x.filtered(s.filter, v)))
	return goOn
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

// generation is {% generation %}…{% endgeneration %}: what the assistant says.
type generation struct {
	body []stmt
	vars *frame
	line int
}

func (s *generation) run(x *exec) signal {
	x.nest()
	defer x.unnest()
	if x.captures > 0 {
		x.line = s.line
		x.fail("a generation block inside a text that is not written at once has no place in the output")
	}
	start := len(x.out)
	x.inner(x.scope, s.vars, s.body)
	x.spans = append(x.spans, [2]int{start, len(x.out)})
	return goOn
}

// block is {% block name %}…{% endblock %}. Without inheritance it stands for its
// body, which sees the template's variables but not those of loops around it,
// unless it is scoped.
type block struct {
	name     string
	scoped   bool
	required bool
	body     []stmt
	vars     *frame
	line     int
}

func (s *block) run(x *exec) signal {
	x.nest()
	defer x.unnest()
	x.line = s.line
	if s.required {
		x.fail("TemplateRuntimeError: Required block '%s' not found", s.name)
	}
	parent := x.scope
	if !s.scoped {
		parent = parent.root()
	}
	x.inner(parent, s.vars, s.body)
	return goOn
}

// root returns the outermost scope.
func (s *scope) root() *scope {
	for s.parent != nil {
		s = s.parent
	}
	return s
}

// leave is break or continue.
type leave signal

func (s leave) run(*exec) signal { return signal(s) }

// noLoader stands for include, import and extends.
type noLoader struct{ line int }

func (s *noLoader) run(x *exec) signal {
	x.line = s.line
	x.fail("TypeError: no loader for this environment specified")
	return goOn
}
