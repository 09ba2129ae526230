package jinja

import "strings"

// mutators are the methods that the immutable sandbox hides, by type.
var mutators = map[string][]string{
	"dict": {"clear", "pop", "popitem", "setdefault", "update"},
	"list": {"append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"},
}

// attribute is Python's obj.name as the sandbox lets it through, or nil if there
// is no such attribute.
func (x *exec) attribute(obj Value, name string) Value {
	if u, ok := obj.(*undefined); ok {
		x.refuse(u)
	}
	if strings.HasPrefix(name, "__") && strings.HasSuffix(name, "__") {
		return hidden(obj, name)
	}
	kind := obj.typeName()
	switch obj := obj.(type) {
	case *namespace:
		v, ok := obj.fields.field(name)
		if ok && strings.HasPrefix(name, "_") {
			return hidden(obj, name)
		}
		return v
	case *loop:
		return obj.attribute(x, name)
	case *macro:
		return obj.attribute(name)
	case *blocks:
		if b, ok := x.t.blocks[name]; ok {
			return &blockRef{b}
		}
		return nil
	case *tuple:
		for i, have := range obj.names {
			if have == name {
				return obj.items[i]
			}
		}
	case boolean, integer, bigint, float:
		if v := numberAttribute(obj, name); v != nil {
			return v
		}
	case *cycler:
		if name == "current" {
			return obj.current()
		}
	case *view:
		if name == "mapping" {
			return obj.d
		}
	}
	for _, hide := range mutators[kind] {
		if hide == name {
			return hidden(obj, name)
		}
	}
	if fn, ok := x.env.methods[kind][name]; ok {
		return &method{obj, fn}
	}
	return nil
}

// hidden is an attribute that exists in Python but that the sandbox refuses.
func hidden(obj Value, name string) *undefined {
	u := missing("access to attribute '%s' of '%s' object is unsafe.", name, obj.typeName())
	u.unsafe = true
	return u
}

func (m *macro) attribute(name string) Value {
	def := m.def
	switch name {
	case "name":
		return str(def.name)
	case "arguments":
		items := make([]Value, len(def.params))
		for i, p := range def.params {
			items[i] = str(p.name)
		}
		return &tuple{items: items}
	case "catch_kwargs":
		return boolean(def.kwargs)
	case "catch_varargs":
		return boolean(def.varargs)
	case "caller":
		return boolean(def.caller)
	case "explicit_caller":
		return boolean(def.index("caller") >= 0)
	}
	return nil
}

// numberAttribute returns the plain attributes of numbers.
func numberAttribute(v Value, name string) Value {
	_, isFloat := v.(float)
	switch {
	case name == "real" || name == "numerator" && !isFloat:
		if b, ok := v.(boolean); ok {
			n, _ := small(b)
			return integer(n)
		}
		return v
	case name == "imag" && isFloat:
		return float(0)
	case name == "imag":
		return integer(0)
	case name == "denominator" && !isFloat:
		return integer(1)
	}
	return nil
}

// blocks is self: its attributes are the template's blocks.
type blocks struct{}

func (*blocks) typeName() string { return "TemplateReference" }

// blockRef is self.name: calling it renders the block.
type blockRef struct{ b *block }

func (*blockRef) typeName() string { return "BlockReference" }
