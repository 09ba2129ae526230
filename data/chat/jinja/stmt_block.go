package jinja

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
