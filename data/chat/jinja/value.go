package jinja

import "math/big"

// Value is a Python value: None, bool, int, float, str, list, dict and what
// templates make out of them. Lists and dicts never change once made, as the
// immutable sandbox demands.
type Value interface {
	// typeName is Python's name of the type, for error texts.
	typeName() string
}

type (
	none    struct{}
	boolean bool
	integer int64
	// bigint is an int outside the range of int64.
	bigint struct{ n *big.Int }
	float  float64
	str    string
	// markup is a str marked safe for HTML. Joined with a str it escapes that.
	markup string
	list   struct{ items []Value }
	// tuple may name its items, as those of groupby do.
	tuple struct {
		items []Value
		names []string
	}
	// span is a range: n values from start on.
	span struct {
		start, stop, step int64
		n                 int
	}
	// view is what the methods keys, values and items of a dict return.
	view struct {
		d    *dict
		kind viewKind
	}
	// iterator is a generator: it yields each value once. ok is false at the end.
	iterator struct {
		name string
		next func() (v Value, ok bool)
	}
	// undefined is what a lookup without result returns. It prints as nothing;
	// most uses of it fail with the reason.
	undefined struct {
		reason func() string
		unsafe bool // an attribute that the sandbox hides
	}
	// namespace holds attributes that templates may set.
	namespace struct{ fields *dict }
)

type viewKind uint8

const (
	viewKeys viewKind = iota
	viewValues
	viewItems
)

func (none) typeName() string       { return "NoneType" }
func (boolean) typeName() string    { return "bool" }
func (integer) typeName() string    { return "int" }
func (bigint) typeName() string     { return "int" }
func (float) typeName() string      { return "float" }
func (str) typeName() string        { return "str" }
func (markup) typeName() string     { return "Markup" }
func (*list) typeName() string      { return "list" }
func (*tuple) typeName() string     { return "tuple" }
func (*dict) typeName() string      { return "dict" }
func (*span) typeName() string      { return "range" }
func (*iterator) typeName() string  { return "generator" }
func (*undefined) typeName() string { return "Undefined" }
func (*namespace) typeName() string { return "Namespace" }
func (v *view) typeName() string {
	return [...]string{"dict_keys", "dict_values", "dict_items"}[v.kind]
}

// String returns a str. Text that is not UTF-8 is repaired with U+FFFD.
func String(s string) Value { return str(validText(s)) }

// Bool returns True or False.
func Bool(b bool) Value { return boolean(b) }

// None returns None.
func None() Value { return none{} }

// List returns a list of values. It keeps the slice.
func List(items ...Value) Value { return &list{items} }

// Fields calls visit with the keys and values of a dict in order; ok is false for
// other values.
func Fields(v Value, visit func(key string, v Value)) (ok bool) {
	d, ok := v.(*dict)
	if !ok {
		return false
	}
	for i, key := range d.keys {
		if name, ok := key.(str); ok {
			visit(string(name), d.values[i])
		}
	}
	return true
}

// textOf returns the content of a str or Markup.
func textOf(v Value) (string, bool) {
	switch v := v.(type) {
	case str:
		return string(v), true
	case markup:
		return string(v), true
	}
	return "", false
}

// pair makes the tuple that iterating over items yields.
func pair(a, b Value) *tuple { return &tuple{items: []Value{a, b}} }

// at returns item i of a range.
func (r *span) at(i int) Value { return integer(r.start + int64(i)*r.step) }

// fromBig returns an int of any size.
func fromBig(n *big.Int) Value {
	if n.IsInt64() {
		return integer(n.Int64())
	}
	return bigint{n}
}

// Text returns the content of a str; ok is false for other values.
func Text(v Value) (s string, ok bool) { return textOf(v) }
