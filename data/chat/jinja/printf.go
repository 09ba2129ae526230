package jinja

import (
	"strconv"
	"strings"
)

// percent is Python's s % args. self tells whether s is Markup, which escapes what
// it takes in.
func (x *exec) percent(s string, self, args Value) Value {
	f := &printer{x: x, s: s, single: args}
	_, f.escape = self.(markup)
	switch a := args.(type) {
	case *tuple:
		f.args = a.items
	case *dict, *list, *span, *undefined: // Python takes what has items for a mapping
		f.args, f.mapping = []Value{args}, true
	default:
		f.args = []Value{args}
	}
	f.run()
	if f.used < len(f.args) && !f.mapping {
		x.fail("TypeError: not all arguments converted during string formatting")
	}
	return like(self, f.out.String())
}

// printer formats one % operation.
type printer struct {
	x       *exec
	s       string
	pos     int
	out     strings.Builder
	args    []Value
	used    int
	single  Value // the right operand, for %(key)
	mapping bool  // it may stay unused
	escape  bool
}

func (f *printer) add(s string) {
	f.x.room(len(s))
	if f.out.Len()+len(s) > f.x.limits.OutputBytes {
		f.x.room(f.out.Len() + len(s))
	}
	f.out.WriteString(s)
}

func (f *printer) run() {
	for {
		at := strings.IndexByte(f.s[f.pos:], '%')
		if at < 0 {
			f.add(f.s[f.pos:])
			return
		}
		f.add(f.s[f.pos : f.pos+at])
		f.pos += at + 1
		f.directive()
	}
}

// peek returns the next byte of the format or fails at its end.
func (f *printer) peek() byte {
	if f.pos >= len(f.s) {
		f.x.fail("ValueError: incomplete format")
	}
	return f.s[f.pos]
}

func (f *printer) next() Value {
	if f.used >= len(f.args) {
		f.x.fail("TypeError: not enough arguments for format string")
	}
	f.used++
	return f.args[f.used-1]
}

// directive formats what follows a percent sign.
func (f *printer) directive() {
	if f.peek() == '%' {
		f.pos++
		f.add("%")
		return
	}
	spec := formatSpec{precision: -1}
	var v Value
	if f.peek() == '(' {
		v = f.keyed()
	}
	for ; strings.IndexByte("#0- +", f.peek()) >= 0; f.pos++ {
		switch f.peek() {
		case '#':
			spec.alternate = true
		case '0':
			spec.zero = true
		case '-':
			spec.align = '<'
		case ' ', '+':
			if spec.sign != '+' {
				spec.sign = f.peek()
			}
		}
	}
	spec.width = f.number(0)
	if spec.width < 0 {
		spec.width, spec.align = -spec.width, '<'
	}
	if f.peek() == '.' {
		f.pos++
		spec.precision = max(f.number(0), 0)
	}
	for strings.IndexByte("hlL", f.peek()) >= 0 {
		f.pos++
	}
	spec.kind = f.peek()
	f.pos++
	if v == nil {
		v = f.next()
	}
	f.add(f.convert(v, spec))
}

// keyed reads "(name)" and looks it up in the right operand.
func (f *printer) keyed() Value {
	d, ok := f.single.(*dict)
	if !ok {
		f.x.fail("TypeError: format requires a mapping")
	}
	depth, start := 0, f.pos+1
	for {
		switch f.peek() {
		case '(':
			depth++
		case ')':
			depth--
		}
		f.pos++
		if depth == 0 {
			break
		}
	}
	name := f.s[start : f.pos-1]
	v, ok := d.field(name)
	if !ok {
		f.x.fail("KeyError: %s", quote(name))
	}
	return v
}

// number reads a width or a precision; "*" takes it from the arguments.
func (f *printer) number(otherwise int) int {
	if f.peek() == '*' {
		f.pos++
		v := f.next()
		if !isInt(v) {
			f.x.fail("TypeError: * wants int")
		}
		return f.x.index(v)
	}
	start := f.pos
	for f.peek() >= '0' && f.peek() <= '9' {
		f.pos++
	}
	if start == f.pos {
		return otherwise
	}
	n, err := strconv.Atoi(f.s[start:f.pos])
	if err != nil {
		f.x.fail("ValueError: width too big")
	}
	return n
}
