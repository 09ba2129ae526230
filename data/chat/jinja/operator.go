package jinja

import "strings"

// binary is a op b for + - * / // % **.
func (x *exec) binary(op string, a, b Value) Value {
	if isNumber(a) && isNumber(b) {
		return x.arithmetic(op, a, b)
	}
	if s, ok := textOf(a); ok && op == "%" {
		return x.percent(s, a, b)
	}
	for _, v := range []Value{a, b} {
		if u, ok := v.(*undefined); ok {
			x.refuse(u)
		}
	}
	var v Value
	switch op {
	case "+":
		v = x.add(a, b)
	case "*":
		v = x.multiply(a, b)
	}
	if v == nil {
		if op == "**" {
			op = "** or pow()"
		}
		x.fail("TypeError: unsupported operand type(s) for %s: '%s' and '%s'", op, a.typeName(), b.typeName())
	}
	return v
}

// add joins texts, lists and tuples; nil for other values.
func (x *exec) add(a, b Value) Value {
	s, aok := textOf(a)
	t, bok := textOf(b)
	if aok && bok {
		return x.addText(a, b, s, t)
	}
	switch a := a.(type) {
	case *list:
		if b, ok := b.(*list); ok {
			return &list{x.joined(a.items, b.items)}
		}
	case *tuple:
		if b, ok := b.(*tuple); ok {
			return &tuple{items: x.joined(a.items, b.items)}
		}
	case str, markup:
	default:
		return nil
	}
	name := a.typeName()
	if aok {
		name = "str"
	}
	x.fail("TypeError: can only concatenate %s (not %q) to %s", name, b.typeName(), name)
	return nil
}

// addText joins texts. Markup on either side escapes the other.
func (x *exec) addText(a, b Value, s, t string) Value {
	_, am := a.(markup)
	_, bm := b.(markup)
	if am || bm {
		return x.joinMarkup("", []Value{a, b})
	}
	x.room(len(s) + len(t))
	return str(s + t)
}

func (x *exec) joined(a, b []Value) []Value {
	x.container(len(a) + len(b))
	return append(append(make([]Value, 0, len(a)+len(b)), a...), b...)
}

// multiply repeats a sequence; nil for other values.
func (x *exec) multiply(a, b Value) Value {
	if isNumber(a) {
		a, b = b, a
	}
	s, ok := textOf(a)
	l, isList := a.(*list)
	t, isTuple := a.(*tuple)
	if !ok && !isList && !isTuple {
		return nil
	}
	if !isInt(b) {
		x.fail("TypeError: can't multiply sequence by non-int of type '%s'", b.typeName())
	}
	n := max(x.index(b), 0)
	switch {
	case isList:
		return &list{x.repeated(l.items, n)}
	case isTuple:
		return &tuple{items: x.repeated(t.items, n)}
	}
	x.repeat(n, len(s))
	if _, ok := a.(markup); ok {
		return markup(strings.Repeat(s, n))
	}
	return str(strings.Repeat(s, n))
}

func (x *exec) repeated(items []Value, n int) []Value {
	if len(items) == 0 || n == 0 {
		return nil
	}
	if n > x.steps/len(items) {
		x.step(x.steps + 1)
	}
	x.container(n * len(items))
	out := make([]Value, 0, n*len(items))
	for range n {
		out = append(out, items...)
	}
	return out
}

// index converts an int or bool to a machine integer, cut to its range.
func (x *exec) index(v Value) int {
	if b, ok := v.(bigint); ok {
		if b.n.Sign() < 0 {
			return -1 << 62
		}
		return 1<<62 - 1
	}
	n, _ := small(v)
	return int(max(min(n, 1<<62-1), -1<<62))
}

// join is separator.join(map(str, values)).
func (x *exec) join(separator string, values []Value) string {
	parts := make([]string, len(values))
	size := 0
	for i, v := range values {
		parts[i] = x.str(v)
		if i > 0 {
			size += len(separator)
		}
		if size += len(parts[i]); size > x.limits.OutputBytes {
			x.room(size)
		}
	}
	x.room(size)
	x.container(len(values))
	return strings.Join(parts, separator)
}

// joinMarkup joins values as Markup: what is not Markup is escaped.
func (x *exec) joinMarkup(separator markup, values []Value) Value {
	parts := make([]Value, len(values))
	for i, v := range values {
		parts[i] = x.escaped(v)
	}
	return markup(x.join(string(separator), parts))
}

// escaped is markupsafe.escape(v).
func (x *exec) escaped(v Value) markup {
	if m, ok := v.(markup); ok {
		return m
	}
	s := x.str(v)
	if !strings.ContainsAny(s, `&<>'"`) {
		x.work(len(s))
		return markup(s)
	}
	x.room(5 * len(s))
	return markup(htmlEscaper.Replace(s))
}

var htmlEscaper = strings.NewReplacer("&", "&amp;", ">", "&gt;", "<", "&lt;", "'", "&#39;", `"`, "&#34;")
