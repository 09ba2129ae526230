package jinja

import "strings"

// builtin is a function, filter, test or method. Filters, tests and methods get
// the value they work on as self.
type builtin struct {
	name string
	// params are the names of the arguments after self; a "?" marks those that may
	// be left out.
	params []string
	// positional refuses keyword arguments, as most of Python's methods do.
	positional bool
	// fixed gets one value for each parameter, nil for those left out.
	fixed func(x *exec, self Value, a []Value) Value
	// variadic takes the place of params and fixed.
	variadic func(x *exec, self Value, a arguments) Value
}

func (*builtin) typeName() string { return "function" }

// method is a builtin bound to its value.
type method struct {
	self Value
	fn   *builtin
}

func (*method) typeName() string { return "builtin_function_or_method" }

func (b *builtin) invoke(x *exec, self Value, a arguments) Value {
	x.nest()
	defer x.unnest()
	if b.variadic != nil {
		return b.variadic(x, self, a)
	}
	return b.fixed(x, self, b.bind(x, a))
}

// bind assigns arguments to parameters.
func (b *builtin) bind(x *exec, a arguments) []Value {
	if len(a.pos) > len(b.params) {
		x.fail("TypeError: %s() takes %d argument(s) but %d were given", b.name, len(b.params), len(a.pos))
	}
	if b.positional {
		a.refuseNames(x, b.name)
	}
	out := make([]Value, len(b.params))
	copy(out, a.pos)
	for i, name := range a.names {
		at := b.param(name)
		if at < 0 {
			x.fail("TypeError: %s() got an unexpected keyword argument '%s'", b.name, name)
		}
		if out[at] != nil {
			x.fail("TypeError: %s() got multiple values for argument '%s'", b.name, name)
		}
		out[at] = a.kw[i]
	}
	for i, name := range b.params {
		if out[i] == nil && !strings.HasSuffix(name, "?") {
			x.fail("TypeError: %s() missing 1 required positional argument: '%s'", b.name, name)
		}
	}
	return out
}

func (b *builtin) param(name string) int {
	for i, p := range b.params {
		if strings.TrimSuffix(p, "?") == name {
			return i
		}
	}
	return -1
}

func (a *arguments) refuseNames(x *exec, name string) {
	if len(a.names) > 0 {
		x.fail("TypeError: %s() takes no keyword arguments", name)
	}
}

// isNone reports whether an argument is absent or None.
func isNone(v Value) bool {
	_, ok := v.(none)
	return v == nil || ok
}

// flag is the truth of an optional argument.
func (x *exec) flag(v Value) bool { return v != nil && x.truth(v) }

// intArg returns an optional int argument.
func (x *exec) intArg(v Value, otherwise int) int {
	if v == nil {
		return otherwise
	}
	if u, ok := v.(*undefined); ok {
		x.refuse(u)
	}
	if !isInt(v) {
		x.fail("TypeError: '%s' object cannot be interpreted as an integer", v.typeName())
	}
	return x.index(v)
}

// textArg returns a text argument.
func (x *exec) textArg(v Value, what string) string {
	s, ok := textOf(v)
	if !ok {
		x.fail("TypeError: %s must be str, not %s", what, v.typeName())
	}
	return s
}

// table makes a lookup table of builtins.
func table(lists ...[]*builtin) map[string]*builtin {
	out := make(map[string]*builtin)
	for _, l := range lists {
		for _, b := range l {
			out[b.name] = b
		}
	}
	return out
}
