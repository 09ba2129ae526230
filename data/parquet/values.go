package parquet

import (
	"encoding/binary"
	"fmt"
	"math"
)

// value is a value that is not null: a number's or boolean's bits (whole numbers
// with their sign extended, floats as float32 or float64), or bytes that are valid
// until the next one is read.
type value struct {
	bits  uint64
	bytes []byte
}

func (v value) integer() int64   { return int64(v.bits) }
func (v value) float32() float32 { return math.Float32frombits(uint32(v.bits)) }
func (v value) float64() float64 { return math.Float64frombits(v.bits) }

// values reads the values of a page one after the other. None holds more memory
// than the page takes: what headers and lengths say is checked against the bytes
// that are there.
type values interface {
	next() (value, error)
}

// Encodings (parquet.thrift, Encoding).
const (
	encodingPlain           = 0
	encodingPlainDict       = 2
	encodingRLE             = 3
	encodingDelta           = 5
	encodingDeltaLength     = 6
	encodingDeltaBytes      = 7
	encodingRLEDict         = 8
	encodingByteStreamSplit = 9
)

// newValues reads a page's values in an encoding; dict is that of the column.
func newValues(encoding int64, leaf leaf, raw []byte, dict *dictionary, most int) (values, error) {
	bytes := leaf.physical == physicalBytes || leaf.physical == physicalFixed
	switch {
	case encoding == encodingPlain:
		return newPlain(leaf, raw)
	case encoding == encodingPlainDict || encoding == encodingRLEDict:
		if dict == nil {
			return nil, fmt.Errorf("got values of a dictionary in a column that has none")
		}
		if len(raw) == 0 {
			return &indices{dict: dict}, nil
		}
		if raw[0] > 32 {
			return nil, fmt.Errorf("got indices of %d bits, want at most 32", raw[0])
		}
		return &indices{runs: runs{raw: raw[1:], width: int(raw[0])}, dict: dict}, nil
	case encoding == encodingRLE && leaf.physical == physicalBoolean:
		body, _, err := prefixed(raw)
		return &truths{runs{raw: body, width: 1}}, err
	case encoding == encodingDelta && (leaf.physical == physicalInt32 || leaf.physical == physicalInt64):
		d, err := newDeltas(raw)
		return &deltaNumbers{d, leaf.physical == physicalInt32}, err
	case encoding == encodingDeltaLength && leaf.physical == physicalBytes:
		return newDeltaLengths(raw)
	case encoding == encodingDeltaBytes && bytes:
		return newDeltaBytes(raw, most)
	case encoding == encodingByteStreamSplit && leaf.physical != physicalBoolean && leaf.physical != physicalBytes:
		n := len(raw) / leaf.width
		return &split{leaf: leaf, raw: raw[:n*leaf.width], n: n, buf: make([]byte, leaf.width)}, nil
	}
	return nil, fmt.Errorf("got encoding %d of %s, want one of the format's for it", encoding, physicalNames[leaf.physical])
}

func newPlain(leaf leaf, raw []byte) (values, error) {
	switch leaf.physical {
	case physicalBoolean:
		return &plainTruths{raw: raw}, nil
	case physicalBytes:
		return &plainBytes{raw}, nil
	}
	return &plain{leaf, raw}, nil
}

// fixed is the value that width bytes hold.
func (l leaf) fixed(raw []byte) value {
	switch l.physical {
	case physicalInt32:
		return value{bits: uint64(int64(int32(binary.LittleEndian.Uint32(raw))))}
	case physicalFloat:
		return value{bits: uint64(binary.LittleEndian.Uint32(raw))}
	case physicalInt64, physicalDouble:
		return value{bits: binary.LittleEndian.Uint64(raw)}
	}
	return value{bytes: raw}
}

// plain are values of fixed width.
type plain struct {
	leaf leaf
	raw  []byte
}

func (v *plain) next() (value, error) {
	if len(v.raw) < v.leaf.width {
		return value{}, errEnd
	}
	raw := v.raw[:v.leaf.width]
	v.raw = v.raw[v.leaf.width:]
	return v.leaf.fixed(raw), nil
}

// plainBytes are bytes with their lengths before them.
type plainBytes struct{ raw []byte }

func (v *plainBytes) next() (value, error) {
	body, rest, err := prefixed(v.raw)
	v.raw = rest
	return value{bytes: body}, err
}

// plainTruths are bits.
type plainTruths struct {
	raw []byte
	bit int
}

func (v *plainTruths) next() (value, error) {
	if v.bit >= 8*len(v.raw) {
		return value{}, errEnd
	}
	bit := v.raw[v.bit/8] >> (v.bit % 8) & 1
	v.bit++
	return value{bits: uint64(bit)}, nil
}

// truths are booleans as runs.
type truths struct{ runs runs }

func (v *truths) next() (value, error) {
	bit, err := v.runs.next()
	return value{bits: uint64(bit)}, err
}

// split are values in BYTE_STREAM_SPLIT: the first bytes of all, then the second.
type split struct {
	leaf  leaf
	raw   []byte
	n, at int
	buf   []byte
}

func (v *split) next() (value, error) {
	if v.at == v.n {
		return value{}, errEnd
	}
	for i := range v.buf {
		v.buf[i] = v.raw[i*v.n+v.at]
	}
	v.at++
	return v.leaf.fixed(v.buf), nil
}

// dictionary are the distinct values of a column chunk.
type dictionary struct {
	leaf leaf
	raw  []byte
	ends []uint32 // of values of bytes, where they end in raw
	n    int
}

// newDictionary reads a dictionary page.
func newDictionary(leaf leaf, raw []byte, n int64) (*dictionary, error) {
	d := &dictionary{leaf: leaf, raw: raw, n: int(n)}
	width := int64(max(leaf.width, 4)) // bytes have a length of four at least
	if leaf.physical == physicalBoolean || n < 0 || n > int64(len(raw))/width {
		return nil, fmt.Errorf("got a dictionary of %d values of %s in %d bytes", n, physicalNames[leaf.physical], len(raw))
	}
	if leaf.physical != physicalBytes {
		return d, nil
	}
	d.ends = make([]uint32, n)
	rest := raw
	for i := range d.ends {
		var err error
		if _, rest, err = prefixed(rest); err != nil {
			return nil, err
		}
		d.ends[i] = uint32(len(raw) - len(rest))
	}
	return d, nil
}

func (d *dictionary) value(i uint32) (value, error) {
	if int64(i) >= int64(d.n) {
		return value{}, fmt.Errorf("got value %d of a dictionary of %d", i, d.n)
	}
	if d.ends == nil {
		return d.leaf.fixed(d.raw[int(i)*d.leaf.width:][:d.leaf.width]), nil
	}
	from := uint32(0)
	if i > 0 {
		from = d.ends[i-1]
	}
	return value{bytes: d.raw[from+4 : d.ends[i]]}, nil
}

// indices are values that are in a dictionary.
type indices struct {
	runs runs
	dict *dictionary
}

func (v *indices) next() (value, error) {
	i, err := v.runs.next()
	if err != nil {
		return value{}, err
	}
	return v.dict.value(i)
}

// prefixed takes bytes apart that begin with their length.
func prefixed(raw []byte) (body, rest []byte, err error) {
	if len(raw) < 4 {
		return nil, nil, errEnd
	}
	n := binary.LittleEndian.Uint32(raw)
	raw = raw[4:]
	if int64(n) > int64(len(raw)) {
		return nil, nil, fmt.Errorf("got a length of %d, want at most the %d bytes left", n, len(raw))
	}
	return raw[:n], raw[n:], nil
}
