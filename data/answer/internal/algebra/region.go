package algebra

import (
	"cmp"
	"slices"
)

// interval is one piece of the real line.
type interval struct {
	low, high        *Node
	from, to         float64
	closedL, closedR bool
}

// region reads intervals, unions and inequalities in one variable as pieces of
// the line in order, with the variable's name if it has one.
func (e *evaluator) region(n *Node) ([]interval, bool) {
	var pieces []interval
	switch n.kind {
	case tuple:
		if len(n.args) != 2 {
			return nil, false
		}
		p, ok := e.piece(n.args[0], n.args[1], n.name[0] == '[', n.name[1] == ']')
		return p, ok
	case union:
		for _, a := range n.args {
			p, ok := e.region(a)
			if !ok {
				return nil, false
			}
			pieces = append(pieces, p...)
		}
	case list: // x < 1 or x > 2
		for _, a := range n.args {
			p, ok := e.region(a)
			if !ok || a.kind != relation {
				return nil, false
			}
			pieces = append(pieces, p...)
		}
	case relation:
		return e.inequality(n)
	default:
		return nil, false
	}
	slices.SortStableFunc(pieces, func(a, b interval) int { return cmp.Compare(a.from, b.from) })
	return pieces, true
}

func (e *evaluator) piece(low, high *Node, closedL, closedR bool) ([]interval, bool) {
	from, ok1 := e.constant(low)
	to, ok2 := e.constant(high)
	if !ok1 || !ok2 || from > to {
		return nil, false
	}
	return []interval{{low, high, from, to, closedL, closedR}}, true
}

// inequality reads x > 3, 3 < x, 1 < x <= 2 and x != 0.
func (e *evaluator) inequality(n *Node) ([]interval, bool) {
	inf := node(infinity)
	minus := node(negative, inf)
	a, b := n.args[0], n.args[1]
	op := n.name[0]
	if len(n.args) == 3 {
		second := n.name[1]
		if b.kind != symbol || op == '=' || op == 'n' || second == '=' || second == 'n' || up(op) != up(second) {
			return nil, false
		}
		if up(op) {
			return e.piece(a, n.args[2], op == 'l', second == 'l')
		}
		return e.piece(n.args[2], a, second == 'g', op == 'g')
	}
	if len(n.args) != 2 {
		return nil, false
	}
	if a.kind != symbol {
		a, b = b, a
		op = mirrored(op)
	}
	if a.kind != symbol {
		return nil, false
	}
	switch op {
	case '<', 'l':
		return e.piece(minus, b, false, op == 'l')
	case '>', 'g':
		return e.piece(b, inf, op == 'g', false)
	case 'n':
		left, ok := e.piece(minus, b, false, false)
		right, _ := e.piece(b, inf, false, false)
		return append(left, right...), ok
	}
	return nil, false
}

func up(op byte) bool { return op == '<' || op == 'l' }

func mirrored(op byte) byte {
	switch op {
	case '<':
		return '>'
	case '>':
		return '<'
	case 'l':
		return 'g'
	case 'g':
		return 'l'
	}
	return op
}

func (e *evaluator) sameRegion(a, b []interval) bool {
	return slices.EqualFunc(a, b, func(x, y interval) bool {
		return x.closedL == y.closedL && x.closedR == y.closedR && e.sameValue(x.low, y.low) && e.sameValue(x.high, y.high)
	})
}
