package jinja

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// Options steers Parse. The zero value is the default.
type Options struct {
	Limits Limits
	// Now is the clock behind strftime_now; nil refuses calls of it.
	Now func() time.Time
}

// Template is a compiled template. It is safe for concurrent use.
type Template struct {
	name   string
	opts   Options
	env    *environment
	body   []stmt
	names  []string // of variables, by number
	blocks map[string]*block
	vars   *frame
	marked bool
}

// Output is a rendered text.
type Output struct {
	Text string
	// Spans are the byte ranges [start, end) of Text that stem from
	// {% generation %} blocks, in order.
	Spans [][2]int
}

// Parse compiles a template; name appears in errors.
func Parse(name, source string, o Options) (t *Template, err error) {
	if err := o.Limits.Validate(); err != nil {
		return nil, err
	}
	o.Limits = o.Limits.withDefaults()
	if len(source) > o.Limits.SourceBytes {
		return nil, &Error{name, 1, fmt.Sprintf("got %d bytes, want at most %d", len(source), o.Limits.SourceBytes), ErrLimit}
	}
	if !utf8.ValidString(source) {
		return nil, &Error{name, 1, "the template is not UTF-8", ErrTemplate}
	}
	env := environments()
	p := &parser{}
	defer catch(name, &err, func() int { return p.cur.line })
	p = newParser(name, source, env)
	body := p.parse()
	return &Template{name: name, opts: o, env: env, body: body, names: p.names, blocks: p.blocks, vars: p.frame, marked: p.marked}, nil
}

// catch turns a panic into an error.
func catch(name string, err *error, line func() int) {
	switch r := recover().(type) {
	case nil:
	case *Error:
		*err = r
	case error:
		*err = &Error{name, line(), fmt.Sprintf("internal error: %v", r), errors.Join(errInternal, ErrValue)}
	default:
		*err = &Error{name, line(), fmt.Sprintf("internal error: %v", r), errors.Join(errInternal, ErrValue)}
	}
}

// Name returns the name given to Parse.
func (t *Template) Name() string { return t.name }

// Marked reports whether the template has {% generation %} blocks.
func (t *Template) Marked() bool { return t.marked }

// Render evaluates the template with the given variables.
func (t *Template) Render(vars map[string]Value) (out Output, err error) {
	x := &exec{
		t: t, env: t.env, limits: t.opts.Limits, steps: t.opts.Limits.Steps, bytes: t.opts.Limits.Bytes, line: 1,
		scope: &scope{values: make([]Value, len(t.names))},
	}
	for id, name := range t.names {
		if v, ok := vars[name]; ok {
			x.scope.values[id] = v
		} else if v, ok := t.env.globals[name]; ok {
			x.scope.values[id] = v
		} else if name == "self" {
			x.scope.values[id] = &blocks{}
		}
	}
	for _, id := range t.vars.fresh {
		x.scope.values[id] = nil
	}
	defer catch(t.name, &err, func() int { return x.line })
	x.run(t.body)
	return Output{Text: string(x.out), Spans: x.spans}, nil
}
