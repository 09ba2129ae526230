package algebra

import (
	"math"
	"math/cmplx"
	"strings"
)

// sameRelation compares equations and inequalities with each other, an equation
// "x = v" with the value v, and an inequality with the interval it means.
func (e *evaluator) sameRelation(a, b *Node) bool {
	if a.kind == relation && b.kind == relation {
		if equation(a) && equation(b) {
			return e.sameEquation(a, b)
		}
		if x, okX := e.region(a); okX {
			y, okY := e.region(b)
			return okY && variable(a) == variable(b) && e.sameRegion(x, y)
		}
		return a.name == b.name && e.inOrder(a.args, b.args)
	}
	if a.kind != relation {
		a, b = b, a
	}
	if equation(a) {
		return e.named(a) && e.same(a.args[len(a.args)-1], b)
	}
	if b.kind == list {
		return false
	}
	x, okX := e.region(a)
	y, okY := e.region(b)
	return okX && okY && e.sameRegion(x, y)
}

func equation(n *Node) bool { return n.kind == relation && strings.Trim(n.name, "=") == "" }

// variable is the name an inequality is about.
func variable(n *Node) string {
	for _, a := range n.args {
		if a.kind == symbol && a.name != "pi" && a.name != "e" {
			return a.name
		}
	}
	return ""
}

// named says whether the left side only gives the value a name: x, f(x), AB, or
// a calculation with that result.
func (e *evaluator) named(n *Node) bool {
	left, value := n.args[0], n.args[len(n.args)-1]
	if label(left) {
		return true
	}
	if _, ok := e.constant(left); ok && value.scalar() {
		return e.sameValue(left, value)
	}
	return left.kind == word
}

func label(n *Node) bool {
	switch n.kind {
	case symbol:
		return true
	case call:
		return true
	case product: // f(x), AB
		f := n.args[0]
		return f.kind == symbol && (n.args[1].kind == symbol || n.args[1].kind == tuple) || label(f) && n.args[1].kind == symbol
	}
	return false
}

// sameEquation: two equations are the same if the differences of their sides
// are proportional. A chain a = b = c is a = c.
func (e *evaluator) sameEquation(a, b *Node) bool {
	x, okX := sides(a)
	y, okY := sides(b)
	if !okX || !okY {
		return e.inOrder([]*Node{a.args[0], a.args[len(a.args)-1]}, []*Node{b.args[0], b.args[len(b.args)-1]})
	}
	first, compared := complex(0, 0), 0
	for i := range points {
		p := point{index: i}
		u, v := e.at(x, p), e.at(y, p)
		if unusable(u) || unusable(v) || u == 0 && v == 0 {
			continue
		}
		r := u / v
		if unusable(r) || r == 0 {
			return false
		}
		if compared++; compared == 1 {
			first = r
		} else if cmplx.Abs(r-first) > 1e3*relative*math.Max(cmplx.Abs(first), 1) {
			return false
		}
	}
	if _, fixed := e.constant(x); fixed {
		return false
	}
	return compared >= enough
}

func sides(n *Node) (*Node, bool) {
	a, b := n.args[0], n.args[len(n.args)-1]
	return node(sum, a, node(negative, b)), a.scalar() && b.scalar()
}
