package parquet

import (
	"errors"
	"fmt"
	"io"
)

// errLevels is about values whose levels contradict the schema.
var errLevels = errors.New("got repetition and definition levels that fit no row")

// assembler puts rows together from the entries of their columns, one entry of
// each at a time (Melnik et al. 2010, "Dremel", section 4.3).
type assembler struct {
	root *node
	cols []column // by leaf
	dst  []byte
	max  int
}

// row writes the next row as a JSON object, valid until the next call.
func (a *assembler) row() ([]byte, error) {
	for l := range a.cols {
		if err := a.cols[l].peek(); err != nil {
			return nil, err
		}
		if a.cols[l].rep != 0 {
			return nil, errLevels
		}
	}
	a.dst = a.dst[:0]
	if err := a.object(a.root); err != nil {
		return nil, err
	}
	return a.dst, nil
}

// missing takes the entries that say that a node is absent or empty: one of each
// column, which agree that all that is around the node is there.
func (a *assembler) missing(n *node) error {
	for l := n.lo; l < n.hi; l++ {
		c := &a.cols[l]
		if err := peeked(c.peek()); err != nil {
			return err
		}
		if c.def != n.def-1 {
			return errLevels
		}
		c.have = false
	}
	return nil
}

// peeked is the error of a look at an entry that must be there.
func peeked(err error) error {
	if errors.Is(err, io.EOF) {
		return errLevels
	}
	return err
}

// write writes a node with what stands around it: a list for a repeated one, null
// for one that is absent. The columns are at the node's first entry.
func (a *assembler) write(n *node) error {
	if len(a.dst) > a.max {
		return fmt.Errorf("got a row of more than %d bytes, want at most that (ReadOptions.MaxRowBytes)", a.max)
	}
	if n.repeated {
		return a.list(n, nil)
	}
	c := &a.cols[n.lo]
	if err := peeked(c.peek()); err != nil {
		return err
	}
	if n.optional && c.def < n.def {
		a.dst = append(a.dst, "null"...)
		return a.missing(n)
	}
	return a.body(n)
}

// body writes what a node is when it is there.
func (a *assembler) body(n *node) error {
	switch n.kind {
	case kindList:
		return a.list(n.children[0], n.item())
	case kindMap:
		return a.mapping(n.children[0])
	case kindGroup:
		return a.object(n)
	}
	c := &a.cols[n.lo]
	if c.null() {
		return errLevels
	}
	v, err := c.take()
	if err != nil {
		return err
	}
	if len(a.dst)+len(v.bytes) > a.max {
		return fmt.Errorf("got a row of more than %d bytes, want at most that (ReadOptions.MaxRowBytes)", a.max)
	}
	if a.dst, err = n.leaf.write(a.dst, v); err != nil {
		return fmt.Errorf("column %q: %w", n.name, err)
	}
	return nil
}

func (a *assembler) object(n *node) error {
	a.dst = append(a.dst, '{')
	for i, child := range n.children {
		if i > 0 {
			a.dst = append(a.dst, ',')
		}
		a.dst = append(append(a.dst, child.key...), ':')
		if err := a.write(child); err != nil {
			return err
		}
	}
	a.dst = append(a.dst, '}')
	return nil
}

// list writes the instances of a repeated node: item in each of them, or the
// instance itself when item is nil.
func (a *assembler) list(n, item *node) error {
	a.dst = append(a.dst, '[')
	first := true
	err := a.each(n, func() error {
		if !first {
			a.dst = append(a.dst, ',')
		}
		first = false
		if item != nil {
			return a.write(item)
		}
		return a.body(n)
	})
	a.dst = append(a.dst, ']')
	return err
}

// mapping writes the instances of a repeated pair of key and value as members of
// an object.
func (a *assembler) mapping(n *node) error {
	a.dst = append(a.dst, '{')
	first := true
	err := a.each(n, func() error {
		if !first {
			a.dst = append(a.dst, ',')
		}
		first = false
		from := len(a.dst)
		if err := a.write(n.children[0]); err != nil {
			return err
		}
		if a.dst[from] != '"' {
			return fmt.Errorf("got a map with a key that is null, want text")
		}
		a.dst = append(a.dst, ':')
		return a.write(n.children[1])
	})
	a.dst = append(a.dst, '}')
	return err
}

// each calls visit for each instance of a repeated node. A new instance begins
// where an entry's repetition level is the node's.
func (a *assembler) each(n *node, visit func() error) error {
	if err := peeked(a.cols[n.lo].peek()); err != nil {
		return err
	}
	if a.cols[n.lo].def < n.def {
		return a.missing(n) // an empty list
	}
	for {
		if len(a.dst) > a.max {
			return fmt.Errorf("got a row of more than %d bytes, want at most that (ReadOptions.MaxRowBytes)", a.max)
		}
		if err := visit(); err != nil {
			return err
		}
		more, err := a.again(n)
		if err != nil || !more {
			return err
		}
	}
}

// again reports whether another instance of a node follows, on which all its
// columns must agree.
func (a *assembler) again(n *node) (more bool, err error) {
	for l := n.lo; l < n.hi; l++ {
		c := &a.cols[l]
		rep := 0
		if err := c.peek(); err == nil {
			rep = c.rep
		} else if !errors.Is(err, io.EOF) {
			return false, err
		}
		if rep > n.rep || l > n.lo && more != (rep == n.rep) {
			return false, errLevels
		}
		more = rep == n.rep
	}
	return more, nil
}
