package gguf

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math"
)

// Has reports whether the key is there.
func (f *File) Has(key string) bool {
	_, ok := f.parts[0].byKey[key]
	return ok
}

// Keys yields the metadata keys with their kinds, in file order. For an array
// the kind is [KindArray].
func (f *File) Keys() iter.Seq2[string, Kind] {
	return func(yield func(string, Kind) bool) {
		for _, e := range f.parts[0].entries {
			if !yield(e.key, e.kind) {
				return
			}
		}
	}
}

// ArrayLen is the kind of the elements and their count, of a key that holds an
// array.
func (f *File) ArrayLen(key string) (Kind, int, error) {
	e, err := f.parts[0].find(key, KindArray)
	return e.elem, int(e.n), err
}

// Uint returns an unsigned number of any width; a signed one that is not
// negative will do.
func (f *File) Uint(key string) (uint64, error) { return f.parts[0].uint(key) }

// Int returns a whole number of any width that fits int64.
func (f *File) Int(key string) (int64, error) {
	p := f.parts[0]
	var v int64
	err := p.scalar(key, integers, func(k Kind, b []byte) error {
		u, negative := integer(k, b)
		if !negative && u > math.MaxInt64 {
			return fmt.Errorf("got %d, want at most %d", u, int64(math.MaxInt64))
		}
		v = int64(u)
		return nil
	})
	return v, err
}

// Float returns a floating-point number of either width.
func (f *File) Float(key string) (float64, error) {
	p := f.parts[0]
	var v float64
	err := p.scalar(key, floats, func(k Kind, b []byte) error {
		v = float(k, b)
		return nil
	})
	return v, err
}

// Bool returns a truth value; every byte but 0 is true.
func (f *File) Bool(key string) (bool, error) {
	p := f.parts[0]
	var v bool
	err := p.scalar(key, []Kind{KindBool}, func(_ Kind, b []byte) error {
		v = b[0] != 0
		return nil
	})
	return v, err
}

// String returns a string as it is in the file, valid UTF-8 or not.
func (f *File) String(key string) (string, error) {
	p := f.parts[0]
	var v string
	err := p.scalar(key, []Kind{KindString}, func(_ Kind, b []byte) error {
		v = string(b[8:])
		return nil
	})
	return v, err
}

var (
	integers = []Kind{KindUint8, KindInt8, KindUint16, KindInt16, KindUint32, KindInt32, KindUint64, KindInt64}
	floats   = []Kind{KindFloat32, KindFloat64}
)

func (p *part) uint(key string) (v uint64, err error) {
	err = p.scalar(key, integers, func(k Kind, b []byte) error {
		u, negative := integer(k, b)
		if negative {
			return fmt.Errorf("got %d, want no negative number", int64(u))
		}
		v = u
		return nil
	})
	return v, err
}

// find looks a key up and checks its kind.
func (p *part) find(key string, want ...Kind) (entry, error) {
	i, ok := p.byKey[key]
	if !ok {
		return entry{}, fmt.Errorf("gguf: %s: key %q: %w", p.file.Name(), key, ErrNotFound)
	}
	e := p.entries[i]
	for _, k := range want {
		if e.kind == k {
			return e, nil
		}
	}
	return entry{}, fmt.Errorf("gguf: %s: key %q: %w: got %s, want %s", p.file.Name(), key, ErrWrongType, e.kind, list(want))
}

func list(kinds []Kind) string {
	s := ""
	for i, k := range kinds {
		switch {
		case i == 0:
		case i == len(kinds)-1:
			s += " or "
		default:
			s += ", "
		}
		s += k.String()
	}
	return s
}

// scalar hands the bytes of a value to fn.
func (p *part) scalar(key string, want []Kind, fn func(Kind, []byte) error) error {
	e, err := p.find(key, want...)
	if err != nil {
		return err
	}
	return p.bytes(e, func(b []byte) error { return fn(e.kind, b) })
}

func (p *part) bytes(e entry, fn func([]byte) error) error {
	err := p.file.Guard(func() error {
		b, err := p.file.Section(e.off, e.end-e.off)
		if err != nil {
			return err
		}
		return fn(b)
	})
	if err != nil {
		return fmt.Errorf("gguf: %s: key %q: %w", p.file.Name(), e.key, err)
	}
	return nil
}

// integer decodes a whole number; a negative one comes as two's complement.
func integer(k Kind, b []byte) (v uint64, negative bool) {
	var s int64
	switch k {
	case KindUint8:
		return uint64(b[0]), false
	case KindUint16:
		return uint64(binary.LittleEndian.Uint16(b)), false
	case KindUint32:
		return uint64(binary.LittleEndian.Uint32(b)), false
	case KindUint64:
		return binary.LittleEndian.Uint64(b), false
	case KindInt8:
		s = int64(int8(b[0]))
	case KindInt16:
		s = int64(int16(binary.LittleEndian.Uint16(b)))
	case KindInt32:
		s = int64(int32(binary.LittleEndian.Uint32(b)))
	default:
		s = int64(binary.LittleEndian.Uint64(b))
	}
	return uint64(s), s < 0
}

func float(k Kind, b []byte) float64 {
	if k == KindFloat32 {
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b))
}
