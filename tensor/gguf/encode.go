package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
)

// Pair is one metadata key and its value. The Go type of the value tells its
// kind, as in [File.Value]: uint8 to uint64, int8 to int64, float32, float64,
// bool or string, a slice of one of these, or []any of slices for an array of
// arrays.
type Pair struct {
	Key   string
	Value any
}

// encoder appends the parts of a header and counts what the reader limits.
type encoder struct {
	b      []byte
	walked uint64 // strings and inner arrays
}

func (e *encoder) text(s string) {
	e.b = binary.LittleEndian.AppendUint64(e.b, uint64(len(s)))
	e.b = append(e.b, s...)
}

func (e *encoder) uint32(v uint32) { e.b = binary.LittleEndian.AppendUint32(e.b, v) }
func (e *encoder) uint64(v uint64) { e.b = binary.LittleEndian.AppendUint64(e.b, v) }

// pair appends a key, its kind and its value.
func (e *encoder) pair(p Pair) error {
	if p.Key == "" || len(p.Key) > maxKeyBytes {
		return fmt.Errorf("key %.40q: got %d bytes, want 1 to %d", p.Key, len(p.Key), maxKeyBytes)
	}
	e.text(p.Key)
	at := len(e.b)
	e.uint32(0)
	kind, err := e.value(p.Value, 0)
	if err != nil {
		return fmt.Errorf("key %q: %w", p.Key, err)
	}
	if e.walked > maxWalk {
		return fmt.Errorf("key %q: got more than %d strings and inner arrays", p.Key, maxWalk)
	}
	binary.LittleEndian.PutUint32(e.b[at:], uint32(kind))
	return nil
}

// value appends a value without its kind, which it returns.
func (e *encoder) value(v any, depth int) (Kind, error) {
	switch v := v.(type) {
	case uint8:
		e.b = append(e.b, v)
		return KindUint8, nil
	case int8:
		e.b = append(e.b, byte(v))
		return KindInt8, nil
	case uint16:
		e.b = binary.LittleEndian.AppendUint16(e.b, v)
		return KindUint16, nil
	case int16:
		e.b = binary.LittleEndian.AppendUint16(e.b, uint16(v))
		return KindInt16, nil
	case uint32:
		e.uint32(v)
		return KindUint32, nil
	case int32:
		e.uint32(uint32(v))
		return KindInt32, nil
	case float32:
		e.uint32(math.Float32bits(v))
		return KindFloat32, nil
	case bool:
		e.b = append(e.b, 0)
		if v {
			e.b[len(e.b)-1] = 1
		}
		return KindBool, nil
	case string:
		e.text(v)
		e.walked++
		return KindString, nil
	case uint64:
		e.uint64(v)
		return KindUint64, nil
	case int64:
		e.uint64(uint64(v))
		return KindInt64, nil
	case float64:
		e.uint64(math.Float64bits(v))
		return KindFloat64, nil
	}
	return KindArray, e.array(v, depth+1)
}

// array appends the kind of the elements, their count and the elements.
func (e *encoder) array(v any, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("got arrays more than %d deep", maxDepth)
	}
	switch v := v.(type) {
	case []uint8:
		return elements(e, KindUint8, v, depth)
	case []int8:
		return elements(e, KindInt8, v, depth)
	case []uint16:
		return elements(e, KindUint16, v, depth)
	case []int16:
		return elements(e, KindInt16, v, depth)
	case []uint32:
		return elements(e, KindUint32, v, depth)
	case []int32:
		return elements(e, KindInt32, v, depth)
	case []float32:
		return elements(e, KindFloat32, v, depth)
	case []bool:
		return elements(e, KindBool, v, depth)
	case []string:
		return elements(e, KindString, v, depth)
	case []uint64:
		return elements(e, KindUint64, v, depth)
	case []int64:
		return elements(e, KindInt64, v, depth)
	case []float64:
		return elements(e, KindFloat64, v, depth)
	case []any:
		e.walked += uint64(len(v))
		return elements(e, KindArray, v, depth)
	}
	return fmt.Errorf("got a value of Go type %T, want a number of a fixed size, bool, string or a slice of them", v)
}

func elements[T any](e *encoder, kind Kind, list []T, depth int) error {
	e.uint32(uint32(kind))
	e.uint64(uint64(len(list)))
	for i, v := range list {
		got, err := e.value(v, depth)
		if err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
		if got != kind {
			return fmt.Errorf("element %d: got %s in an array of arrays", i, got)
		}
	}
	return nil
}

// header is everything before the tensor data, padded to the alignment.
func header(places []place, metadata []Pair) (b []byte, align int64, err error) {
	if len(metadata) > maxKeys {
		return nil, 0, fmt.Errorf("got %d keys, want at most %d", len(metadata), maxKeys)
	}
	e := &encoder{b: []byte("GGUF")}
	e.uint32(3)
	e.uint64(uint64(len(places)))
	e.uint64(uint64(len(metadata)))
	seen := make(map[string]bool, len(metadata))
	align = 32
	for _, p := range metadata {
		if seen[p.Key] {
			return nil, 0, fmt.Errorf("key %q: got it twice", p.Key)
		}
		seen[p.Key] = true
		if p.Key == alignmentKey {
			a, ok := p.Value.(uint32)
			if !ok || bits.OnesCount32(a) != 1 {
				return nil, 0, fmt.Errorf("key %q: got %T %v, want a power of two as uint32", p.Key, p.Value, p.Value)
			}
			align = int64(a)
		}
		if err := e.pair(p); err != nil {
			return nil, 0, err
		}
	}
	off := int64(0)
	for i := range places {
		p := &places[i]
		p.off = off
		e.describe(p)
		if off, err = after(off, p.size, align); err != nil {
			return nil, 0, fmt.Errorf("tensor %q: %w", p.Name, err)
		}
	}
	for int64(len(e.b))%align != 0 {
		e.b = append(e.b, 0)
	}
	return e.b, align, nil
}

// after is the next multiple of the alignment behind a tensor.
func after(off, size, align int64) (int64, error) {
	if size > math.MaxInt64-align-off {
		return 0, fmt.Errorf("got %d bytes at offset %d, which is too large", size, off)
	}
	return (off + size + align - 1) / align * align, nil
}

// describe appends the description of a tensor.
func (e *encoder) describe(p *place) {
	e.text(p.Name)
	e.uint32(uint32(len(p.Shape)))
	for i := range p.Shape {
		e.uint64(uint64(p.Shape[len(p.Shape)-1-i]))
	}
	e.uint32(uint32(p.Type))
	e.uint64(uint64(p.off))
}
