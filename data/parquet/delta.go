package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// maxBlock bounds the values of a block in delta encodings; writers have 128.
const maxBlock = 1 << 20

// deltas decodes DELTA_BINARY_PACKED (Encodings.md), one number at a time: blocks
// of a least difference and of miniblocks, each of which packs what differences
// are above it with a width of its own.
type deltas struct {
	raw   []byte // from the next block or miniblock on
	per   int    // values of a miniblock
	minis int    // miniblocks of a block
	count uint64 // values left
	first bool
	last  int64

	least  int64
	widths []byte // of the miniblocks left in the block
	packed []byte // the miniblock's
	width  int
	bit    int
	left   int // values of the miniblock
}

func newDeltas(raw []byte) (*deltas, error) {
	var head [4]uint64 // values of a block, miniblocks of it, values, the first one
	for i := range head {
		value, n := binary.Uvarint(raw)
		if n <= 0 {
			return nil, errEnd
		}
		head[i], raw = value, raw[n:]
	}
	block, minis := head[0], head[1]
	if block == 0 || block > maxBlock || minis == 0 || minis > block || block%minis != 0 || block/minis%8 != 0 {
		return nil, fmt.Errorf("got blocks of %d differences in %d parts, want at most %d in parts of a multiple of 8", block, minis, maxBlock)
	}
	return &deltas{raw: raw, per: int(block / minis), minis: int(minis), count: head[2], first: true, last: unzigzag(head[3])}, nil
}

func (d *deltas) next() (int64, error) {
	if d.count == 0 {
		return 0, errEnd
	}
	d.count--
	if d.first {
		d.first = false
		return d.last, nil
	}
	if d.left == 0 {
		if err := d.mini(); err != nil {
			return 0, err
		}
	}
	d.left--
	if d.bit+d.width > 8*len(d.packed) {
		return 0, errEnd
	}
	if d.width > 0 {
		d.last += int64(bits(d.packed, d.bit, d.width))
		d.bit += d.width
	}
	d.last += d.least
	return d.last, nil
}

// mini begins a miniblock, and a block where one ended.
func (d *deltas) mini() error {
	if len(d.widths) == 0 {
		least, n := binary.Uvarint(d.raw)
		if n <= 0 || len(d.raw)-n < d.minis {
			return errEnd
		}
		d.least = unzigzag(least)
		d.widths, d.raw = d.raw[n:n+d.minis], d.raw[n+d.minis:]
	}
	d.width, d.widths = int(d.widths[0]), d.widths[1:]
	if d.width > 64 {
		return fmt.Errorf("got differences of %d bits, want at most 64", d.width)
	}
	size := min(d.per/8*d.width, len(d.raw)) // the last one may be cut
	d.packed, d.raw = d.raw[:size], d.raw[size:]
	d.bit, d.left = 0, d.per
	return nil
}

// behind returns the bytes behind the numbers.
func (d deltas) behind() ([]byte, error) {
	for left := d.count; left > 1; left -= min(left-1, uint64(d.per)) {
		if err := d.mini(); err != nil {
			return nil, err
		}
	}
	return d.raw, nil
}

// length is next for a length.
func (d *deltas) length(most int) (int, error) {
	n, err := d.next()
	if err == nil && (n < 0 || n > int64(most)) {
		err = fmt.Errorf("got a length of %d, want at most %d", n, most)
	}
	return int(n), err
}

// deltaNumbers are the values of a column in DELTA_BINARY_PACKED.
type deltaNumbers struct {
	deltas *deltas
	narrow bool // INT32
}

func (v *deltaNumbers) next() (value, error) {
	n, err := v.deltas.next()
	if v.narrow {
		n = int64(int32(n))
	}
	return value{bits: uint64(n)}, err
}

// deltaLengths are values in DELTA_LENGTH_BYTE_ARRAY: all lengths, then all bytes.
type deltaLengths struct {
	lengths *deltas
	raw     []byte
}

func newDeltaLengths(raw []byte) (*deltaLengths, error) {
	lengths, err := newDeltas(raw)
	if err != nil {
		return nil, err
	}
	raw, err = lengths.behind()
	return &deltaLengths{lengths: lengths, raw: raw}, err
}

func (v *deltaLengths) next() (value, error) {
	n, err := v.lengths.length(len(v.raw))
	if err != nil {
		return value{}, err
	}
	bytes := v.raw[:n]
	v.raw = v.raw[n:]
	return value{bytes: bytes}, nil
}

// deltaBytes are values in DELTA_BYTE_ARRAY: of each the length of what it shares
// with the one before, then the rest.
type deltaBytes struct {
	shared *deltas
	rest   *deltaLengths
	last   []byte
	most   int
}

// errLong is about values that grow over the limit of a page.
var errLong = errors.New("got a value longer than a page may be (Format.MaxPageBytes)")

func newDeltaBytes(raw []byte, most int) (*deltaBytes, error) {
	shared, err := newDeltas(raw)
	if err != nil {
		return nil, err
	}
	if raw, err = shared.behind(); err != nil {
		return nil, err
	}
	rest, err := newDeltaLengths(raw)
	return &deltaBytes{shared: shared, rest: rest, most: most}, err
}

func (v *deltaBytes) next() (value, error) {
	n, err := v.shared.length(len(v.last))
	if err != nil {
		return value{}, err
	}
	rest, err := v.rest.next()
	if err != nil {
		return value{}, err
	}
	if n+len(rest.bytes) > v.most {
		return value{}, errLong
	}
	v.last = append(v.last[:n], rest.bytes...)
	return value{bytes: v.last}, nil
}
