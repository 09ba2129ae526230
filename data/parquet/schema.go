package parquet

import (
	"encoding/json"
	"fmt"
)

// node is a column or group of columns. Levels are those of Dremel (Melnik et al.
// 2010): how often, of what may repeat or be absent on the path from the root, a
// value repeats or is there.
type node struct {
	name     string
	key      []byte // the name as JSON
	optional bool
	repeated bool
	kind     kind
	def, rep int // levels with this node's own counted in
	lo, hi   int // its leaves
	children []*node
	leaf     leaf
}

type kind uint8

const (
	kindGroup kind = iota // an object
	kindLeaf
	kindList // a group that stands for its one repeated child's items
	kindMap  // a group that stands for an object of its repeated child's keys and values
)

// Values of FieldRepetitionType; 0 is a value that must be there.
const (
	repetitionOptional = 1
	repetitionRepeated = 2
)

// tree reads the schema, which lists nodes depth first.
type tree struct {
	elements []element
	at       int
	leaves   int
}

// newSchema builds the tree of a file's columns.
func newSchema(elements []element, maxColumns int) (*node, error) {
	t := &tree{elements: elements}
	root, err := t.node(nil, 0)
	if err != nil {
		return nil, err
	}
	if t.at != len(elements) || root.kind == kindLeaf {
		return nil, fmt.Errorf("got a schema of %d nodes of which %d hang together, want one tree", len(elements), t.at)
	}
	if t.leaves > maxColumns {
		return nil, fmt.Errorf("got %d columns, want at most %d (ReadOptions.MaxColumns)", t.leaves, maxColumns)
	}
	return root, nil
}

func (t *tree) node(parent *node, depth int) (*node, error) {
	if t.at >= len(t.elements) || depth > maxDepth {
		return nil, fmt.Errorf("got a schema that ends too early or is nested more than %d deep", maxDepth)
	}
	e := &t.elements[t.at]
	t.at++
	n := &node{name: e.name, lo: t.leaves}
	if parent != nil {
		n.def, n.rep = parent.def, parent.rep
		switch e.repetition {
		case repetitionOptional:
			n.optional = true
			n.def++
		case repetitionRepeated:
			n.repeated = true
			n.def++
			n.rep++
		}
	}
	var err error
	if n.key, err = json.Marshal(e.name); err != nil {
		return nil, err
	}
	if e.children <= 0 && e.physical >= 0 {
		n.kind, n.leaf = kindLeaf, leafOf(e)
		t.leaves++
		n.hi = t.leaves
		return n, nil
	}
	seen := map[string]bool{}
	for range e.children {
		child, err := t.node(n, depth+1)
		if err != nil {
			return nil, err
		}
		if seen[child.name] {
			return nil, fmt.Errorf("got column %q twice", child.name)
		}
		seen[child.name] = true
		n.children = append(n.children, child)
	}
	n.hi = t.leaves
	if n.hi == n.lo {
		return nil, fmt.Errorf("got group %q without a column", n.name)
	}
	n.kind = groupKind(e, n)
	return n, nil
}

// walk calls visit for each leaf.
func (n *node) walk(visit func(*node)) {
	if n.kind == kindLeaf {
		visit(n)
	}
	for _, child := range n.children {
		child.walk(visit)
	}
}

// groupKind tells lists and maps from other groups.
func groupKind(e *element, n *node) kind {
	if len(n.children) != 1 || !n.children[0].repeated {
		return kindGroup
	}
	kind, converted := e.logical.kind, e.converted
	switch {
	case kind == logicalList || converted == convertedList:
		return kindList
	case kind == logicalMap || converted == convertedMap || converted == convertedMapPair:
		if entry := n.children[0]; len(entry.children) == 2 && entry.children[0].kind == kindLeaf && entry.children[0].leaf.text {
			return kindMap
		}
	}
	return kindGroup
}

// item returns the node that the items of a list are, given the list's repeated
// child. Where that child is a group of one, items are what is in it, unless its
// name says that it is the item itself (LogicalTypes.md, backward compatibility).
func (n *node) item() *node {
	r := n.children[0]
	if len(r.children) == 1 && r.kind == kindGroup && r.name != "array" && r.name != n.name+"_tuple" {
		return r.children[0]
	}
	return nil
}
