package jinja

import (
	"cmp"
	"math"
	"strings"
	"unicode/utf8"
)

// truth is Python's bool(v).
func (x *exec) truth(v Value) bool {
	switch v := v.(type) {
	case boolean:
		return bool(v)
	case none, *undefined:
		return false
	case integer:
		return v != 0
	case float:
		return v != 0
	}
	if n, ok := x.size(v); ok {
		return n > 0
	}
	return true
}

// size is Python's len(v); ok is false for values without length.
func (x *exec) size(v Value) (n int, ok bool) {
	switch v := v.(type) {
	case str:
		x.work(len(v))
		return utf8.RuneCountInString(string(v)), true
	case markup:
		x.work(len(v))
		return utf8.RuneCountInString(string(v)), true
	case *list:
		return len(v.items), true
	case *tuple:
		return len(v.items), true
	case *dict:
		return v.len(), true
	case *view:
		return v.d.len(), true
	case *span:
		return v.n, true
	case *undefined:
		return 0, true
	case *loop:
		return v.len(x), true
	}
	return 0, false
}

// equal is Python's a == b.
func (x *exec) equal(a, b Value) bool {
	x.step(1)
	if s, ok := textOf(a); ok {
		t, ok := textOf(b)
		x.work(min(len(s), len(t)))
		return ok && s == t
	}
	if isNumber(a) && isNumber(b) {
		order, ok := compareNumbers(a, b)
		return ok && order == 0
	}
	switch a := a.(type) {
	case none:
		_, ok := b.(none)
		return ok
	case *undefined:
		_, ok := b.(*undefined)
		return ok
	case *list:
		b, ok := b.(*list)
		return ok && (a == b || x.equalItems(a.items, b.items))
	case *tuple:
		b, ok := b.(*tuple)
		return ok && (a == b || x.equalItems(a.items, b.items))
	case *dict:
		b, ok := b.(*dict)
		return ok && (a == b || x.equalDicts(a, b))
	case *span:
		b, ok := b.(*span)
		return ok && a.n == b.n && (a.n == 0 || a.start == b.start && (a.n == 1 || a.step == b.step))
	}
	return same(a, b)
}

// same is Python's a is b for values that are compared by identity.
func same(a, b Value) bool {
	switch a.(type) {
	case str, markup, integer, float, boolean, none:
		return a == b
	case bigint:
		return false
	}
	if _, ok := b.(bigint); ok {
		return false
	}
	return a == b
}

func (x *exec) equalItems(a, b []Value) bool {
	if len(a) != len(b) {
		return false
	}
	x.nest()
	defer x.unnest()
	for i := range a {
		if !x.equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

func (x *exec) equalDicts(a, b *dict) bool {
	if a.len() != b.len() {
		return false
	}
	x.nest()
	defer x.unnest()
	for i, h := range a.hashes {
		v, ok := b.get(h)
		if !ok || !x.equal(a.values[i], v) {
			return false
		}
	}
	return true
}

// less is Python's a op b for <, <=, > and >=.
func (x *exec) less(op string, a, b Value) bool {
	x.step(1)
	for _, v := range []Value{a, b} {
		if u, ok := v.(*undefined); ok {
			x.refuse(u)
		}
	}
	if s, ok := textOf(a); ok {
		if t, ok := textOf(b); ok {
			x.work(min(len(s), len(t)))
			return ordered(op, strings.Compare(s, t)) // UTF-8 sorts as code points do
		}
	}
	if isNumber(a) && isNumber(b) {
		order, ok := compareNumbers(a, b)
		return ok && ordered(op, order)
	}
	la, aok := a.(*list)
	lb, bok := b.(*list)
	if aok && bok {
		return x.lessItems(op, la.items, lb.items)
	}
	ta, aok := a.(*tuple)
	tb, bok := b.(*tuple)
	if aok && bok {
		return x.lessItems(op, ta.items, tb.items)
	}
	x.fail("TypeError: '%s' not supported between instances of '%s' and '%s'", op, a.typeName(), b.typeName())
	return false
}

func ordered(op string, order int) bool {
	switch op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

func (x *exec) lessItems(op string, a, b []Value) bool {
	x.nest()
	defer x.unnest()
	for i := range min(len(a), len(b)) {
		if !x.equal(a[i], b[i]) {
			return x.less(op, a[i], b[i])
		}
	}
	return ordered(op, cmp.Compare(len(a), len(b)))
}

// compareNumbers orders numbers exactly; ok is false if one is not a number.
func compareNumbers(a, b Value) (order int, ok bool) {
	fa, aok := a.(float)
	fb, bok := b.(float)
	if aok && math.IsNaN(float64(fa)) || bok && math.IsNaN(float64(fb)) {
		return 0, false
	}
	switch {
	case aok && bok:
		return cmp.Compare(fa, fb), true
	case aok:
		return -compareIntFloat(b, float64(fa)), true
	case bok:
		return compareIntFloat(a, float64(fb)), true
	}
	na, aok := small(a)
	nb, bok := small(b)
	if aok && bok {
		return cmp.Compare(na, nb), true
	}
	return bigOf(a).Cmp(bigOf(b)), true
}

func compareIntFloat(a Value, f float64) int {
	if math.IsInf(f, 1) {
		return -1
	}
	if math.IsInf(f, -1) {
		return 1
	}
	whole := math.Floor(f)
	if order := bigOf(a).Cmp(bigFloat(whole)); order != 0 || whole == f {
		return order
	}
	return -1
}

// contains is Python's needle in v.
func (x *exec) contains(v, needle Value) bool {
	switch v := v.(type) {
	case str, markup:
		s, _ := textOf(v)
		sub, ok := textOf(needle)
		if !ok {
			x.fail("TypeError: 'in <string>' requires string as left operand, not %s", needle.typeName())
		}
		x.work(len(s) + len(sub))
		return strings.Contains(s, sub)
	case *dict:
		_, ok := v.get(x.key(needle))
		return ok
	case *view:
		if v.kind == viewKeys {
			_, ok := v.d.get(x.key(needle))
			return ok
		}
	}
	next, ok := x.iter(v)
	if !ok {
		x.fail("TypeError: argument of type '%s' is not iterable", v.typeName())
	}
	for item, more := next(); more; item, more = next() {
		if same(item, needle) || x.equal(item, needle) {
			return true
		}
	}
	return false
}
