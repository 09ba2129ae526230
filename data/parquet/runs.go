package parquet

import (
	"encoding/binary"
	"errors"
)

// errEnd is about pages with fewer values than their headers say.
var errEnd = errors.New("got the end of the page in its values")

// runs decodes numbers of width bits in the hybrid of run lengths and bit packing
// (Encodings.md, RLE), one at a time: a run takes no memory, however long it says
// it is.
type runs struct {
	raw    []byte
	width  int // at most 32
	left   uint64
	value  uint32 // of a run of equal values
	packed []byte // a run of different ones
	bit    int    // of packed, the next one
}

func (r *runs) next() (uint32, error) {
	if r.width == 0 {
		return 0, nil
	}
	for r.left == 0 {
		if err := r.run(); err != nil {
			return 0, err
		}
	}
	r.left--
	if r.packed == nil {
		return r.value, nil
	}
	value := uint32(bits(r.packed, r.bit, r.width))
	r.bit += r.width
	return value, nil
}

// run reads the head of a run.
func (r *runs) run() error {
	head, n := binary.Uvarint(r.raw)
	if n <= 0 {
		return errEnd
	}
	r.raw = r.raw[n:]
	if head&1 == 0 {
		size := (r.width + 7) / 8
		if len(r.raw) < size {
			return errEnd
		}
		r.value, r.packed, r.left = 0, nil, head>>1
		for i, b := range r.raw[:size] {
			r.value |= uint32(b) << (8 * i)
		}
		r.raw = r.raw[size:]
		return nil
	}
	size := len(r.raw)
	if groups := head >> 1; groups < uint64(size/r.width) { // of eight values; the last may be cut
		size = int(groups) * r.width
	} else {
		size = int(min(groups*uint64(r.width), uint64(size)))
	}
	r.packed, r.raw, r.bit = r.raw[:size:size], r.raw[size:], 0
	r.left = uint64(size) * 8 / uint64(r.width)
	return nil
}

// bits returns the number of width bits (at most 64) at a place that lies inside
// raw, the lowest bits first.
func bits(raw []byte, at, width int) uint64 {
	raw, shift := raw[at/8:], at%8
	var value uint64
	if len(raw) >= 8 {
		value = binary.LittleEndian.Uint64(raw) >> shift
		if shift+width > 64 {
			value |= uint64(raw[8]) << (64 - shift)
		}
	} else {
		for i, b := range raw {
			value |= uint64(b) << (8 * i)
		}
		value >>= shift
	}
	if width == 64 {
		return value
	}
	return value & (1<<width - 1)
}
