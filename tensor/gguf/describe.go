package gguf

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// describe reads the description of one tensor; its offset is still relative.
func (t *Tensor) describe(c *cursor, align uint64) (err error) {
	t.file = c.file
	if t.name, err = c.text("name", maxName); err != nil {
		return err
	}
	fail := func(err error) error { return fmt.Errorf("%q: %w", t.name, err) }
	rank, err := c.uint32()
	if err != nil {
		return fail(err)
	}
	if rank > maxRank {
		return fail(fmt.Errorf("got %d dimensions, want at most %d", rank, maxRank))
	}
	var dims [maxRank]uint64
	for i := range rank {
		if dims[i], err = c.uint64(); err != nil {
			return fail(err)
		}
	}
	number, err := c.uint32()
	if err != nil {
		return fail(err)
	}
	t.typ = Type(number)
	if err := t.typ.check(); err != nil {
		return fail(err)
	}
	off, err := c.uint64()
	if err != nil {
		return fail(err)
	}
	if off%align != 0 {
		return fail(fmt.Errorf("got offset %d, want a multiple of the alignment %d", off, align))
	}
	if off > math.MaxInt64 {
		return fail(fmt.Errorf("got offset %d, which is beyond any file", off))
	}
	t.off = int64(off)
	return t.measure(dims[:rank])
}

// measure computes shape, length and size from the file's dimensions, the first
// of which is the length of a row.
func (t *Tensor) measure(dims []uint64) error {
	row, n := uint64(1), uint64(1)
	if len(dims) > 0 {
		row = dims[0]
	}
	if row%uint64(t.typ.BlockLen()) != 0 {
		return fmt.Errorf("%q: got rows of %d numbers, want a multiple of %d, the block of %s", t.name, row, t.typ.BlockLen(), t.typ)
	}
	t.rank = len(dims)
	for i, d := range dims {
		hi, lo := bits.Mul64(n, d)
		if hi != 0 || lo > math.MaxInt || d > math.MaxInt {
			return fmt.Errorf("%q: got dimensions %d, whose product is too large", t.name, dims)
		}
		n = lo
		t.shape[len(dims)-1-i] = int(d)
	}
	size, ok := t.typ.rowBytes(n)
	if !ok {
		return fmt.Errorf("%q: got dimensions %d, whose size in bytes is too large", t.name, dims)
	}
	t.n, t.row, t.size = int(n), int(row), int64(size)
	return nil
}

// place turns relative offsets into places in the file and checks that tensors
// lie inside it without overlap.
func (p *part) place(headerEnd int64, align uint64) error {
	if len(p.tensors) == 0 {
		return nil
	}
	a := int64(align)
	start := (headerEnd + a - 1) / a * a
	if start > p.file.Size() {
		return fmt.Errorf("tensor data: got a start at %d, want at most the file's size %d", start, p.file.Size())
	}
	order := make([]*Tensor, 0, len(p.tensors))
	for i := range p.tensors {
		t := &p.tensors[i]
		if room := p.file.Size() - start; t.off > room || t.size > room-t.off {
			return fmt.Errorf("tensor %q: got %d bytes of %s at offset %d, want them inside the %d bytes of tensor data", t.name, t.size, t.typ, t.off, room)
		}
		t.off += start
		if t.size > 0 {
			order = append(order, t)
		}
	}
	slices.SortFunc(order, func(a, b *Tensor) int { return int(min(1, max(-1, a.off-b.off))) })
	for i := 1; i < len(order); i++ {
		if a, b := order[i-1], order[i]; a.off+a.size > b.off {
			return fmt.Errorf("tensors %q and %q: got overlapping bytes %d to %d", a.name, b.name, b.off, a.off+a.size)
		}
	}
	return nil
}
