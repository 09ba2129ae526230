package parquet

import (
	"errors"
	"fmt"

	pq "github.com/parquet-go/parquet-go"
)

// errLevels is about values whose levels contradict the schema.
var errLevels = errors.New("got repetition and definition levels that fit no row")

// assembler puts rows together from the values of their columns.
type assembler struct {
	root  *node
	cols  [][]pq.Value // by leaf: the values of what is being written
	saved [][]pq.Value // those of the lists around it
	dst   []byte
	max   int
}

// row writes a row as a JSON object, valid until the next call.
func (a *assembler) row(row pq.Row) ([]byte, error) {
	if a.cols == nil {
		a.cols = make([][]pq.Value, a.root.hi)
	}
	clear(a.cols)
	at := 0
	for at < len(row) {
		column, start := row[at].Column(), at
		for at < len(row) && row[at].Column() == column {
			at++
		}
		if column < 0 || column >= len(a.cols) {
			return nil, errLevels
		}
		a.cols[column] = row[start:at]
	}
	a.dst, a.saved = a.dst[:0], a.saved[:0]
	if err := a.object(a.root); err != nil {
		return nil, err
	}
	return a.dst, nil
}

// write writes a node with what stands around it: a list for a repeated one, null
// for one that is absent.
func (a *assembler) write(n *node) error {
	if n.repeated {
		return a.list(n, nil)
	}
	if len(a.cols[n.lo]) == 0 {
		return errLevels
	}
	if n.optional && a.cols[n.lo][0].DefinitionLevel() < n.def {
		a.dst = append(a.dst, "null"...)
		return nil
	}
	return a.body(n)
}

// body writes what a node is when it is there.
func (a *assembler) body(n *node) error {
	if len(a.dst) > a.max {
		return fmt.Errorf("got a row of more than %d bytes, want at most that (ReadOptions.MaxRowBytes)", a.max)
	}
	switch n.kind {
	case kindList:
		return a.list(n.children[0], n.item())
	case kindMap:
		return a.mapping(n.children[0])
	case kindGroup:
		return a.object(n)
	}
	values := a.cols[n.lo]
	if len(values) != 1 {
		return errLevels
	}
	if values[0].IsNull() {
		a.dst = append(a.dst, "null"...)
		return nil
	}
	dst, err := n.leaf.write(a.dst, values[0])
	if err != nil {
		return fmt.Errorf("column %q: %w", n.name, err)
	}
	a.dst = dst
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
		if err := a.write(n.children[0]); err != nil {
			return err
		}
		a.dst = append(a.dst, ':')
		return a.write(n.children[1])
	})
	a.dst = append(a.dst, '}')
	return err
}

// each calls visit for each instance of a repeated node, with cols cut to it. A
// new instance begins where a value's repetition level is the node's.
func (a *assembler) each(n *node, visit func() error) error {
	if len(a.cols[n.lo]) == 0 {
		return errLevels
	}
	if a.cols[n.lo][0].DefinitionLevel() < n.def {
		return nil // an empty list
	}
	mark := len(a.saved)
	a.saved = append(a.saved, a.cols[n.lo:n.hi]...)
	defer func() {
		copy(a.cols[n.lo:n.hi], a.saved[mark:])
		a.saved = a.saved[:mark]
	}()
	rest := make([]int, n.hi-n.lo)
	for rest[0] < len(a.saved[mark]) {
		for l := range rest {
			all, start := a.saved[mark+l], rest[l]
			end := start + 1
			for end < len(all) && all[end].RepetitionLevel() > n.rep {
				end++
			}
			if start >= len(all) {
				return errLevels
			}
			a.cols[n.lo+l], rest[l] = all[start:end], end
		}
		if err := visit(); err != nil {
			return err
		}
	}
	for l, end := range rest {
		if end != len(a.saved[mark+l]) {
			return errLevels
		}
	}
	return nil
}
