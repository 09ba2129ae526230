package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// maxDepth bounds the nesting of structures and of groups in a schema; the format
// itself needs about ten.
const maxDepth = 32

// errThrift is wrapped by errors about descriptions that contradict themselves.
var errThrift = errors.New("bad thrift")

// errShort is wrapped by errors about structures that go on after the bytes at hand.
var errShort = fmt.Errorf("%w: it ends too early", errThrift)

// Types of the compact protocol (thrift-compact-protocol.md).
const (
	typeTrue   = 1
	typeFalse  = 2
	typeByte   = 3
	typeI16    = 4
	typeI32    = 5
	typeI64    = 6
	typeDouble = 7
	typeBinary = 8
	typeList   = 9
	typeSet    = 10
	typeMap    = 11
	typeStruct = 12
)

// decoder reads structures in the compact protocol. It allocates nothing: what it
// returns lies in raw, and callers keep what they need.
type decoder struct {
	raw   []byte
	at    int
	depth int
}

func (d *decoder) byte() (byte, error) {
	if d.at >= len(d.raw) {
		return 0, errShort
	}
	d.at++
	return d.raw[d.at-1], nil
}

func (d *decoder) take(n uint64) ([]byte, error) {
	if n > uint64(len(d.raw)-d.at) {
		return nil, errShort
	}
	d.at += int(n)
	return d.raw[d.at-int(n) : d.at], nil
}

func (d *decoder) varint() (uint64, error) {
	value, n := binary.Uvarint(d.raw[d.at:])
	switch {
	case n == 0:
		return 0, errShort
	case n < 0:
		return 0, fmt.Errorf("%w: a number of more than 64 bits", errThrift)
	}
	d.at += n
	return value, nil
}

func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// structure calls visit for each field, which must read its value.
func (d *decoder) structure(visit func(field int, kind byte) error) error {
	if d.depth++; d.depth > maxDepth {
		return fmt.Errorf("%w: nested more than %d deep", errThrift, maxDepth)
	}
	defer func() { d.depth-- }()
	field := 0
	for {
		head, err := d.byte()
		if err != nil || head == 0 {
			return err
		}
		if delta := int(head >> 4); delta > 0 {
			field += delta
		} else {
			id, err := d.varint()
			if err != nil {
				return err
			}
			field = int(int16(unzigzag(id)))
		}
		if err := visit(field, head&0xf); err != nil {
			return err
		}
	}
}

// inner reads a structure that is the value of a field.
func (d *decoder) inner(kind byte, visit func(field int, kind byte) error) error {
	if kind != typeStruct {
		return fmt.Errorf("%w: type %d, want a structure", errThrift, kind)
	}
	return d.structure(visit)
}

// number reads a whole number.
func (d *decoder) number(kind byte, into *int64) error {
	switch kind {
	case typeByte:
		b, err := d.byte()
		*into = int64(int8(b))
		return err
	case typeI16, typeI32, typeI64:
		u, err := d.varint()
		*into = unzigzag(u)
		return err
	}
	return fmt.Errorf("%w: type %d, want a number", errThrift, kind)
}

// flag reads a boolean, which a field's type says already.
func (d *decoder) flag(kind byte, into *bool) error {
	if kind != typeTrue && kind != typeFalse {
		return fmt.Errorf("%w: type %d, want a boolean", errThrift, kind)
	}
	*into = kind == typeTrue
	return nil
}

// text reads bytes.
func (d *decoder) text(kind byte) ([]byte, error) {
	if kind != typeBinary {
		return nil, fmt.Errorf("%w: type %d, want text", errThrift, kind)
	}
	n, err := d.varint()
	if err != nil {
		return nil, err
	}
	return d.take(n)
}

// list calls visit for each element, which must read it.
func (d *decoder) list(kind byte, visit func(kind byte) error) error {
	if kind != typeList && kind != typeSet {
		return fmt.Errorf("%w: type %d, want a list", errThrift, kind)
	}
	head, err := d.byte()
	if err != nil {
		return err
	}
	n := uint64(head >> 4)
	if n == 0xf {
		if n, err = d.varint(); err != nil {
			return err
		}
	}
	if n > uint64(len(d.raw)-d.at) { // each takes a byte at least
		return errShort
	}
	for range n {
		if err := visit(head & 0xf); err != nil {
			return err
		}
	}
	return nil
}

// skip moves over the value of a field.
func (d *decoder) skip(kind byte) error {
	if kind == typeTrue || kind == typeFalse {
		return nil
	}
	return d.element(kind)
}

// element moves over an element of a list or map.
func (d *decoder) element(kind byte) error {
	if d.depth++; d.depth > maxDepth {
		return fmt.Errorf("%w: nested more than %d deep", errThrift, maxDepth)
	}
	defer func() { d.depth-- }()
	var err error
	switch kind {
	case typeTrue, typeFalse, typeByte:
		_, err = d.byte()
	case typeI16, typeI32, typeI64:
		_, err = d.varint()
	case typeDouble:
		_, err = d.take(8)
	case typeBinary:
		_, err = d.text(kind)
	case typeList, typeSet:
		err = d.list(kind, d.element)
	case typeMap:
		err = d.mapping()
	case typeStruct:
		err = d.structure(func(_ int, kind byte) error { return d.skip(kind) })
	default:
		err = fmt.Errorf("%w: type %d", errThrift, kind)
	}
	return err
}

func (d *decoder) mapping() error {
	n, err := d.varint()
	if err != nil || n == 0 {
		return err
	}
	if n > uint64(len(d.raw)-d.at) {
		return errShort
	}
	kinds, err := d.byte()
	if err != nil {
		return err
	}
	for range n {
		if err := d.element(kinds >> 4); err != nil {
			return err
		}
		if err := d.element(kinds & 0xf); err != nil {
			return err
		}
	}
	return nil
}
