package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// Strings returns an array of strings as they are in the file, valid UTF-8 or
// not. They share one piece of memory.
func (f *File) Strings(key string) ([]string, error) {
	var v []string
	err := f.array(key, []Kind{KindString}, func(e entry, b []byte) error {
		// One copy of the whole value, of which every string is a window.
		text := string(b)
		v = make([]string, e.n)
		for i := range v {
			n := binary.LittleEndian.Uint64(b)
			if n > uint64(len(b)-8) {
				return fmt.Errorf("string %d of %d: %w", i+1, e.n, ErrChanged)
			}
			at := len(text) - len(b) + 8
			v[i], b = text[at:at+int(n)], b[8+n:]
		}
		return nil
	})
	return v, err
}

// Floats returns an array of floating-point numbers of either width.
func (f *File) Floats(key string) ([]float64, error) {
	var v []float64
	err := f.array(key, floats, func(e entry, b []byte) error {
		v = make([]float64, e.n)
		size := int(kinds[e.elem].size)
		for i := range v {
			v[i] = float(e.elem, b[i*size:])
		}
		return nil
	})
	return v, err
}

// Ints returns an array of whole numbers of any width that fit int64.
func (f *File) Ints(key string) ([]int64, error) {
	var v []int64
	err := f.array(key, integers, func(e entry, b []byte) error {
		v = make([]int64, e.n)
		size := int(kinds[e.elem].size)
		for i := range v {
			u, negative := integer(e.elem, b[i*size:])
			if !negative && u > math.MaxInt64 {
				return fmt.Errorf("element %d: got %d, want at most %d", i, u, int64(math.MaxInt64))
			}
			v[i] = int64(u)
		}
		return nil
	})
	return v, err
}

// Bools returns an array of truth values; every byte but 0 is true.
func (f *File) Bools(key string) ([]bool, error) {
	var v []bool
	err := f.array(key, []Kind{KindBool}, func(e entry, b []byte) error {
		v = make([]bool, e.n)
		for i := range v {
			v[i] = b[i] != 0
		}
		return nil
	})
	return v, err
}

// array hands an array of one of the wanted kinds to fn.
func (f *File) array(key string, want []Kind, fn func(entry, []byte) error) error {
	p := f.parts[0]
	e, err := p.find(key, KindArray)
	if err != nil {
		return err
	}
	if !slices.Contains(want, e.elem) {
		return fmt.Errorf("gguf: %s: key %q: %w: got an array of %s, want one of %s", p.file.Name(), key, ErrWrongType, e.elem, list(want))
	}
	return p.bytes(e, func(b []byte) error { return fn(e, b) })
}
