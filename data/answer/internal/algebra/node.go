package algebra

import "math/big"

type kind int

const (
	number     kind = iota // num
	symbol                 // name
	word                   // name: words that are no formula
	infinity               // without sign
	sum                    // args
	product                // args
	quotient               // args: 2
	power                  // args: base, exponent
	negative               // args: 1
	plusMinus              // args: 1, stands for two values
	call                   // name, args
	bigSum                 // name: sum or prod; args: variable, from, to, body
	integral               // args: variable, from, to, body
	derivative             // args: variable, body
	percent                // args: 1
	degree                 // args: 1
	quantity               // args: 1, name: unit
	ratio                  // args: a:b:…
	list                   // args: a, b, …
	set                    // args
	tuple                  // args; name is its brackets, "()", "[)", …
	union                  // args
	relation               // args: n+1, name: n operators, one byte each
	matrix                 // args: rows, each a list
)

// Node is a formula. It is never changed after it is read.
type Node struct {
	kind kind
	name string
	num  *big.Rat
	args []*Node
}

func node(k kind, args ...*Node) *Node { return &Node{kind: k, args: args} }

func named(k kind, name string, args ...*Node) *Node { return &Node{kind: k, name: name, args: args} }

func integer(n int64) *Node { return &Node{kind: number, num: big.NewRat(n, 1)} }

// has says whether k occurs in n.
func (n *Node) has(k kind) bool {
	if n.kind == k {
		return true
	}
	for _, a := range n.args {
		if a.has(k) {
			return true
		}
	}
	return false
}

// scalar says whether n is an expression with one value.
func (n *Node) scalar() bool {
	switch n.kind {
	case word, list, set, tuple, union, relation, matrix, ratio, quantity, plusMinus:
		return false
	}
	for _, a := range n.args {
		if !a.scalar() && n.kind != call {
			return false
		}
	}
	return true
}

// signed returns n with every plus-minus sign replaced by plus or by minus.
func (n *Node) signed(minus bool) *Node {
	if n.kind == plusMinus {
		x := n.args[0].signed(minus)
		if minus {
			return node(negative, x)
		}
		return x
	}
	if !n.has(plusMinus) {
		return n
	}
	c := *n
	c.args = make([]*Node, len(n.args))
	for i, a := range n.args {
		c.args[i] = a.signed(minus)
	}
	return &c
}
