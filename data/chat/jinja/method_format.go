package jinja

import (
	"strconv"
	"strings"
)

// formatMethods are str.format and str.format_map.
var formatMethods = []*builtin{
	{name: "format", variadic: func(x *exec, self Value, a arguments) Value {
		return x.formatAll(self, a.pos, a.dict())
	}},
	{name: "format_map", params: []string{"mapping"}, positional: true, fixed: func(x *exec, self Value, a []Value) Value {
		d, ok := a[0].(*dict)
		if !ok {
			x.fail("TypeError: format_map() wants a mapping, not %s", a[0].typeName())
		}
		return x.formatAll(self, nil, d)
	}},
}

// formatter fills the replacement fields of one format string.
type formatter struct {
	x     *exec
	pos   []Value
	named *dict
	// escape is set for Markup, which escapes what it takes in.
	escape bool
	auto   int // next automatic field; -1 once fields are numbered by hand
}

func (x *exec) formatAll(self Value, pos []Value, named *dict) Value {
	s, _ := textOf(self)
	f := &formatter{x: x, pos: pos, named: named}
	_, f.escape = self.(markup)
	return str(f.fill(s, 2))
}

// fill replaces the fields of s; depth bounds fields inside specifications.
func (f *formatter) fill(s string, depth int) string {
	x := f.x
	if depth == 0 {
		x.fail("ValueError: Max string recursion exceeded")
	}
	var out strings.Builder
	add := func(t string) {
		x.room(len(t))
		if out.Len()+len(t) > x.limits.OutputBytes {
			x.room(out.Len() + len(t))
		}
		out.WriteString(t)
	}
	for s != "" {
		at := strings.IndexAny(s, "{}")
		if at < 0 {
			add(s)
			break
		}
		add(s[:at])
		if at+1 < len(s) && s[at+1] == s[at] {
			add(s[at : at+1])
			s = s[at+2:]
			continue
		}
		if s[at] == '}' {
			x.fail("ValueError: Single '}' encountered in format string")
		}
		end := fieldEnd(s[at+1:])
		if end < 0 {
			x.fail("ValueError: expected '}' before end of string")
		}
		add(f.field(s[at+1:at+1+end], depth))
		s = s[at+end+2:]
	}
	return out.String()
}

// fieldEnd returns the index of the brace that closes a field, or -1.
func fieldEnd(s string) int {
	depth := 1
	for i := range len(s) {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// field formats "name!conversion:spec".
func (f *formatter) field(s string, depth int) string {
	x := f.x
	name, spec := s, ""
	if at := strings.IndexAny(s, "!:"); at >= 0 && (s[at] == ':' || strings.IndexByte(s[:at], '[') < 0) {
		name, spec = s[:at], s[at:]
	}
	v := f.lookup(name)
	if strings.HasPrefix(spec, "!") {
		if len(spec) < 2 || len(spec) > 2 && spec[2] != ':' {
			x.fail("ValueError: expected ':' after conversion specifier")
		}
		switch spec[1] {
		case 's':
			v = str(x.str(v))
		case 'r':
			v = str(x.repr(v))
		case 'a':
			v = str(toASCII(x.repr(v)))
		default:
			x.fail("ValueError: Unknown conversion specifier '%c'", spec[1])
		}
		spec = spec[2:]
	}
	spec = strings.TrimPrefix(spec, ":")
	if strings.ContainsAny(spec, "{}") {
		spec = f.fill(spec, depth-1)
	}
	if _, marked := v.(markup); f.escape && !marked {
		return string(x.escaped(str(x.format(v, spec))))
	}
	return x.format(v, spec)
}

// lookup finds the value of "name.attr[item]".
func (f *formatter) lookup(name string) Value {
	x := f.x
	end := strings.IndexAny(name, ".[")
	if end < 0 {
		end = len(name)
	}
	v := f.first(name[:end])
	for rest := name[end:]; rest != ""; {
		if rest[0] == '.' {
			n := strings.IndexAny(rest[1:], ".[") + 1
			if n == 0 {
				n = len(rest)
			}
			v = x.getAttribute(v, rest[1:n])
			rest = rest[n:]
			continue
		}
		n := strings.IndexByte(rest, ']')
		if rest[0] != '[' || n < 0 {
			x.fail("ValueError: Missing ']' in format string")
		}
		v = x.getItem(v, pathPart(rest[1:n]))
		rest = rest[n+1:]
	}
	return v
}

// first finds a field's argument: by position, by name or the next one.
func (f *formatter) first(name string) Value {
	i, err := strconv.Atoi(name)
	switch {
	case name == "":
		if f.auto < 0 {
			f.x.fail("ValueError: cannot switch from manual field specification to automatic field numbering")
		}
		i = f.auto
		f.auto++
	case err == nil && i >= 0:
		if f.auto > 0 {
			f.x.fail("ValueError: cannot switch from automatic field numbering to manual field specification")
		}
		f.auto = -1
	default:
		v, ok := f.named.field(name)
		if !ok {
			f.x.fail("KeyError: %s", quote(name))
		}
		return v
	}
	if i >= len(f.pos) {
		f.x.fail("IndexError: Replacement index %d out of range for positional args tuple", i)
	}
	return f.pos[i]
}

// format is Python's format(v, spec).
func (x *exec) format(v Value, spec string) string {
	if spec == "" {
		return x.str(v)
	}
	switch v := v.(type) {
	case str, markup:
		s, _ := textOf(v)
		return x.formatText(s, x.parseSpec(spec))
	case boolean, integer, bigint:
		return x.formatInt(bigOf(v), x.parseSpec(spec))
	case float:
		s := x.parseSpec(spec)
		if strings.IndexByte("bcdosxX", s.kind) >= 0 && s.kind != 0 {
			x.fail("ValueError: Unknown format code '%c' for object of type 'float'", s.kind)
		}
		if s.kind == 'n' {
			s.kind = 'g'
		}
		return x.formatFloat(float64(v), s)
	}
	x.fail("TypeError: unsupported format string passed to %s.__format__", v.typeName())
	return ""
}
