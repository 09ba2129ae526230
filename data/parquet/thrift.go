package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The library allocates what lengths in thrift say before it reads what they
// count. So every thrift structure is walked over here first: lengths must fit
// the bytes at hand, nesting is bounded, and there are no more structures than
// such bytes can well hold.

const (
	// maxDepth bounds the nesting of structures; the format needs about ten.
	maxDepth = 32
	// structBytes is what a structure in a list takes at least on average, its
	// own fields included. It bounds how much larger a file's description gets
	// in memory than in the file.
	structBytes = 6
)

// errThrift is wrapped by errors about descriptions that contradict themselves.
var errThrift = errors.New("bad thrift")

// Types of the compact protocol (thrift-compact-protocol.md).
const (
	typeTrue   = 1
	typeFalse  = 2
	typeByte   = 3
	typeI16    = 4
	typeI64    = 6
	typeDouble = 7
	typeBinary = 8
	typeList   = 9
	typeSet    = 10
	typeMap    = 11
	typeStruct = 12
)

// walker goes over one structure in the compact protocol.
type walker struct {
	raw    []byte
	at     int
	items  int // structures in lists so far
	parent int // field of the outermost structure that is being walked over
	// visit is told of the numbers and booleans of the outermost structure
	// (parent 0) and of those in its fields.
	visit func(parent, field int, value int64)
}

// checkStruct returns the length of the structure that raw begins with.
// One that goes on after raw gives an error that wraps errShort.
func checkStruct(raw []byte, visit func(parent, field int, value int64)) (int, error) {
	w := walker{raw: raw, visit: visit}
	if err := w.structure(0); err != nil {
		return 0, err
	}
	if w.items > 64+w.at/structBytes {
		return 0, fmt.Errorf("%w: %d structures in %d bytes", errThrift, w.items, w.at)
	}
	return w.at, nil
}

// errShort is wrapped by errors about structures that go on after the bytes at hand.
var errShort = fmt.Errorf("%w: it ends too early", errThrift)

func (w *walker) byte() (byte, error) {
	if w.at >= len(w.raw) {
		return 0, errShort
	}
	w.at++
	return w.raw[w.at-1], nil
}

func (w *walker) skip(n int) error {
	if n < 0 || n > len(w.raw)-w.at {
		return errShort
	}
	w.at += n
	return nil
}

func (w *walker) varint() (uint64, error) {
	value, n := binary.Uvarint(w.raw[w.at:])
	switch {
	case n == 0:
		return 0, errShort
	case n < 0:
		return 0, fmt.Errorf("%w: a number of more than 64 bits", errThrift)
	}
	w.at += n
	return value, nil
}

// structure walks over the fields of a structure.
func (w *walker) structure(depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: nested more than %d deep", errThrift, maxDepth)
	}
	field := 0
	for {
		head, err := w.byte()
		if err != nil || head == 0 {
			return err
		}
		if delta := int(head >> 4); delta > 0 {
			field += delta
		} else {
			id, err := w.varint()
			if err != nil {
				return err
			}
			field = int(int16(unzigzag(id)))
		}
		if depth == 0 {
			w.parent = field
		}
		if err := w.value(head&0xf, field, depth); err != nil {
			return err
		}
	}
}

// tell reports the value of a field.
func (w *walker) tell(field, depth int, value int64) {
	switch {
	case w.visit == nil || field == 0:
	case depth == 0:
		w.visit(0, field, value)
	case depth == 1:
		w.visit(w.parent, field, value)
	}
}

func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// value walks over the value of a field; field is 0 inside a list.
func (w *walker) value(kind byte, field, depth int) error {
	switch kind {
	case typeTrue, typeFalse:
		if field == 0 { // elements of lists take a byte
			return w.skip(1)
		}
		w.tell(field, depth, int64(typeFalse-kind))
		return nil
	case typeByte:
		return w.skip(1)
	case typeI16, typeI16 + 1, typeI64:
		u, err := w.varint()
		if err == nil {
			w.tell(field, depth, unzigzag(u))
		}
		return err
	case typeDouble:
		return w.skip(8)
	case typeBinary:
		n, err := w.varint()
		if err != nil {
			return err
		}
		return w.skip(int(min(n, 1<<40)))
	case typeList, typeSet:
		return w.list(depth)
	case typeMap:
		return w.mapping(depth)
	case typeStruct:
		return w.structure(depth + 1)
	}
	return fmt.Errorf("%w: type %d", errThrift, kind)
}

func (w *walker) list(depth int) error {
	head, err := w.byte()
	if err != nil {
		return err
	}
	n := uint64(head >> 4)
	if n == 0xf {
		if n, err = w.varint(); err != nil {
			return err
		}
	}
	if n > uint64(len(w.raw)-w.at) { // each takes a byte at least
		return errShort
	}
	if head&0xf == typeStruct {
		w.items += int(n)
	}
	for range n {
		if err := w.value(head&0xf, 0, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) mapping(depth int) error {
	n, err := w.varint()
	if err != nil || n == 0 {
		return err
	}
	if n > uint64(len(w.raw)-w.at) {
		return errShort
	}
	kinds, err := w.byte()
	if err != nil {
		return err
	}
	for range n {
		if err := w.value(kinds>>4, 0, depth+1); err != nil {
			return err
		}
		if err := w.value(kinds&0xf, 0, depth+1); err != nil {
			return err
		}
	}
	return nil
}
