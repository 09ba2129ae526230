package jinja

// macroDef is a macro or the body of a call block, as written.
type macroDef struct {
	name     string
	params   []nameTarget
	defaults []expr // of the last parameters
	body     []stmt
	vars     *frame
	line     int
	// Whether the body reads the special variables.
	caller, kwargs, varargs       bool
	callerID, kwargsID, varargsID int
}

// has reports whether a parameter has this number.
func (m *macroDef) has(id int) bool {
	for _, p := range m.params {
		if p.id == id {
			return true
		}
	}
	return false
}

// index returns the place of a parameter, or -1.
func (m *macroDef) index(name string) int {
	for i, p := range m.params {
		if p.name == name {
			return i
		}
	}
	return -1
}

// macro is a macro with the scope it was made in.
type macro struct {
	def   *macroDef
	scope *scope
}

func (*macro) typeName() string { return "Macro" }

// macroStmt is {% macro name(…) %}…{% endmacro %}.
type macroStmt struct {
	target nameTarget
	def    *macroDef
}

func (s *macroStmt) run(x *exec) signal {
	x.step(1)
	s.target.assign(x, &macro{s.def, x.scope})
	return goOn
}

// invoke runs the macro, writing its text.
func (m *macro) invoke(x *exec, a arguments) {
	x.nest()
	defer x.unnest()
	line := x.line
	old := x.push(m.scope, m.def.vars)
	m.bind(x, a)
	x.run(m.def.body)
	x.scope = old
	x.line = line
}

// bind sets the parameters in the current scope, in Jinja's order.
func (m *macro) bind(x *exec, a arguments) {
	def := m.def
	x.step(len(def.params) * (1 + len(a.names)))
	n := min(len(a.pos), len(def.params))
	given := make([]Value, len(def.params))
	copy(given, a.pos[:n])
	hasCaller := n == len(def.params) && def.index("caller") >= 0
	for i := n; i < len(given); i++ {
		given[i] = a.take(def.params[i].name)
		hasCaller = hasCaller || def.params[i].name == "caller"
	}
	if def.caller && !hasCaller {
		caller := a.take("caller")
		if caller == nil {
			caller = missing("No caller defined")
		}
		x.set(def.callerID, caller)
	}
	m.rest(x, a, n)
	first := len(def.params) - len(def.defaults)
	for i, p := range def.params {
		switch {
		case given[i] != nil:
		case i >= first:
			given[i] = def.defaults[i-first].eval(x)
		default:
			given[i] = missing("parameter '%s' was not provided", p.name)
		}
		x.set(p.id, given[i])
	}
}

// rest takes or refuses the arguments beyond the parameters.
func (m *macro) rest(x *exec, a arguments, n int) {
	def := m.def
	if def.kwargs {
		x.made(headerBytes + entryBytes*len(a.names))
		x.set(def.kwargsID, a.dict())
	} else if len(a.names) > 0 {
		for _, name := range a.names {
			if name == "caller" {
				x.fail("TypeError: macro '%s' was invoked with two values for the special caller argument. This is most likely a bug.", def.name)
			}
		}
		x.fail("TypeError: macro '%s' takes no keyword argument '%s'", def.name, a.names[0])
	}
	if def.varargs {
		x.set(def.varargsID, &tuple{items: a.pos[n:]})
	} else if len(a.pos) > n {
		x.fail("TypeError: macro '%s' takes not more than %d argument(s)", def.name, len(def.params))
	}
}
