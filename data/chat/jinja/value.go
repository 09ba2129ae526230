package jinja

// Value is a Python value: None, bool, int, float, str, list, dict and what
// templates make out of them.
type Value interface{ typeName() string }

type str string

func (str) typeName() string { return "str" }

// String returns a str.
func String(s string) Value { return str(s) }

// Bool returns True or False.
func Bool(b bool) Value { return str("") }

// List returns a list of values.
func List(items ...Value) Value { return str("") }

// None returns None.
func None() Value { return str("") }

// FromJSON decodes one JSON value as Python's json.loads does.
func FromJSON(raw []byte) (Value, error) { return str(""), nil }

// Fields calls visit with the keys and values of a dict in order; ok is false for
// other values.
func Fields(v Value, visit func(key string, v Value)) (ok bool) { return false }
