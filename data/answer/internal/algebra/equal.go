package algebra

import "strings"

// maxElements bounds the sets that are compared.
const maxElements = 64

// Equal says whether two formulas mean the same. Formulas that take too long to
// compare are not equal.
func Equal(a, b *Node) bool {
	e := &evaluator{}
	return e.same(a, b) && e.steps <= maxSteps
}

// same compares by the kinds of both sides.
func (e *evaluator) same(a, b *Node) bool {
	if !e.spend() {
		return false
	}
	a, b = expandSigns(a), expandSigns(b)
	switch {
	case a.kind == quantity || b.kind == quantity:
		return e.sameQuantity(a, b)
	case a.kind == percent || b.kind == percent:
		return e.samePercent(a, b)
	case a.kind == word || b.kind == word:
		return wording(a) != "" && strings.EqualFold(wording(a), wording(b))
	case a.kind == relation || b.kind == relation:
		return e.sameRelation(a, b)
	case a.kind == union || b.kind == union:
		x, okX := e.region(a)
		y, okY := e.region(b)
		return okX && okY && e.sameRegion(x, y)
	case elements(a) || elements(b):
		return e.sameSet(a, b)
	case a.kind == tuple || b.kind == tuple || a.kind == ratio || b.kind == ratio || a.kind == matrix || b.kind == matrix:
		return a.kind == b.kind && a.name == b.name && e.inOrder(a.args, b.args)
	case !a.scalar() || !b.scalar():
		return false
	}
	return e.sameValue(a, b)
}

// expandSigns makes 1±√2 the set of its two values.
func expandSigns(n *Node) *Node {
	if n.kind != relation && n.kind != list && n.kind != set && n.has(plusMinus) {
		return node(set, n.signed(false), n.signed(true))
	}
	if n.kind == relation && n.has(plusMinus) {
		return node(list, n.signed(false), n.signed(true))
	}
	return n
}

// sameQuantity: a unit on one side only does not count; two must be the same.
func (e *evaluator) sameQuantity(a, b *Node) bool {
	if a.kind == quantity && b.kind == quantity {
		return sameUnit(a.name, b.name) && e.same(a.args[0], b.args[0])
	}
	if a.kind != quantity {
		a, b = b, a
	}
	if unit(a.name) == "%" {
		return e.same(node(percent, a.args[0]), b)
	}
	return e.same(a.args[0], b)
}

// samePercent: 50% is 50 and 0.5.
func (e *evaluator) samePercent(a, b *Node) bool {
	if a.kind == percent && b.kind == percent {
		return e.same(a.args[0], b.args[0])
	}
	if a.kind != percent {
		a, b = b, a
	}
	return e.same(a.args[0], b) || e.same(node(quotient, a.args[0], integer(100)), b)
}

// wording are the words of a text answer; a single letter is one.
func wording(n *Node) string {
	switch n.kind {
	case word, symbol:
		return strings.Join(strings.Fields(strings.Trim(n.name, "()[]. ")), " ")
	}
	return ""
}

func elements(n *Node) bool { return n.kind == set || n.kind == list }

// sameSet compares without order and repetition; a set of one is its element.
func (e *evaluator) sameSet(a, b *Node) bool {
	x, y := members(a), members(b)
	return len(x) <= maxElements && len(y) <= maxElements && e.within(x, y) && e.within(y, x)
}

func members(n *Node) []*Node {
	if !elements(n) {
		return []*Node{n}
	}
	var all []*Node
	for _, a := range n.args {
		if a = expandSigns(a); a.kind == set && n.kind == list || a.kind == list {
			all = append(all, a.args...)
		} else {
			all = append(all, a)
		}
	}
	return all
}

// within says whether every element of x is in y.
func (e *evaluator) within(x, y []*Node) bool {
	for _, a := range x {
		found := false
		for _, b := range y {
			if found = e.same(a, b); found {
				break
			}
		}
		if !found {
			return false
		}
	}
	return true
}

func (e *evaluator) inOrder(x, y []*Node) bool {
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if x[i].kind == list && y[i].kind == list {
			if !e.inOrder(x[i].args, y[i].args) {
				return false
			}
		} else if !e.same(x[i], y[i]) {
			return false
		}
	}
	return true
}
