package gguf

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/tensor/internal/mapped"
)

// Value returns any metadata value as the Go type of its kind: uint8 to uint64,
// int8 to int64, float32, float64, bool or string; an array as a slice of that
// type, and an array of arrays as []any. It is for tools that show or copy a
// file; code that knows what it wants calls [File.Uint] and the like.
func (f *File) Value(key string) (any, error) {
	p := f.parts[0]
	i, ok := p.byKey[key]
	if !ok {
		return nil, fmt.Errorf("gguf: %s: key %q: %w", p.file.Name(), key, ErrNotFound)
	}
	e := p.entries[i]
	var v any
	err := p.bytes(e, func(b []byte) (err error) {
		c := &cursor{file: mapped.Memory(p.file.Name(), b)}
		if e.kind == KindArray {
			v, err = c.elements(e.elem, e.n, 1)
			return err
		}
		v, err = c.value(e.kind)
		return err
	})
	return v, err
}

// value decodes one value that is no array.
func (c *cursor) value(k Kind) (any, error) {
	if k == KindString {
		return c.text("string", math.MaxInt64)
	}
	b, err := c.take(kinds[k].size)
	if err != nil {
		return nil, err
	}
	switch k {
	case KindUint8:
		return b[0], nil
	case KindInt8:
		return int8(b[0]), nil
	case KindUint16:
		return binary.LittleEndian.Uint16(b), nil
	case KindInt16:
		return int16(binary.LittleEndian.Uint16(b)), nil
	case KindUint32:
		return binary.LittleEndian.Uint32(b), nil
	case KindInt32:
		return int32(binary.LittleEndian.Uint32(b)), nil
	case KindFloat32:
		return math.Float32frombits(binary.LittleEndian.Uint32(b)), nil
	case KindBool:
		return b[0] != 0, nil
	case KindUint64:
		return binary.LittleEndian.Uint64(b), nil
	case KindInt64:
		return int64(binary.LittleEndian.Uint64(b)), nil
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b)), nil
}

// elements decodes the n elements of an array. The first reading has checked
// that they are there and how deep they lie.
func (c *cursor) elements(elem Kind, n uint64, depth int) (any, error) {
	switch elem {
	case KindUint8:
		return slice[uint8](c, elem, n)
	case KindInt8:
		return slice[int8](c, elem, n)
	case KindUint16:
		return slice[uint16](c, elem, n)
	case KindInt16:
		return slice[int16](c, elem, n)
	case KindUint32:
		return slice[uint32](c, elem, n)
	case KindInt32:
		return slice[int32](c, elem, n)
	case KindFloat32:
		return slice[float32](c, elem, n)
	case KindBool:
		return slice[bool](c, elem, n)
	case KindString:
		return slice[string](c, elem, n)
	case KindUint64:
		return slice[uint64](c, elem, n)
	case KindInt64:
		return slice[int64](c, elem, n)
	case KindFloat64:
		return slice[float64](c, elem, n)
	}
	if depth > maxDepth || n > c.left()/12 {
		return nil, ErrChanged // the first reading saw another file
	}
	list := make([]any, 0, n)
	for range n {
		inner, m, err := arrayHead(c)
		if err != nil {
			return nil, err
		}
		v, err := c.elements(inner, m, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

func slice[T any](c *cursor, elem Kind, n uint64) (any, error) {
	if n > c.left() {
		return nil, ErrChanged
	}
	list := make([]T, 0, n)
	for range n {
		v, err := c.value(elem)
		if err != nil {
			return nil, err
		}
		list = append(list, v.(T))
	}
	return list, nil
}
