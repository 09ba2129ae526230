package parquet

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	bitlen "math/bits"
)

// column reads the entries of a column chunk one after the other: an entry is a
// pair of levels, and a value where the definition level is the column's.
type column struct {
	reader *reader
	leaf   *node
	chunk  chunk

	at, end int64 // of the pages to come
	buf     []byte
	dict    *dictionary

	left       int64 // entries of the page
	reps, defs runs
	values     values

	have     bool // rep and def are those of an entry that was not taken
	rep, def int
}

// open sets the column to the page that begins at a place of its chunk.
func (c *column) open(at int64) {
	c.at, c.end = at, c.chunk.start()+c.chunk.size
	c.left, c.have, c.values = 0, false, nil
}

// peek reads the levels of the next entry; io.EOF behind the last one.
func (c *column) peek() error {
	if c.have {
		return nil
	}
	for c.left == 0 {
		if c.at >= c.end {
			return io.EOF
		}
		if err := c.page(); err != nil {
			return fmt.Errorf("column %q: page at byte %d: %w", c.leaf.name, c.at, err)
		}
	}
	rep, err := c.reps.next()
	if err != nil {
		return fmt.Errorf("column %q: %w", c.leaf.name, err)
	}
	def, err := c.defs.next()
	if err != nil {
		return fmt.Errorf("column %q: %w", c.leaf.name, err)
	}
	c.rep, c.def = int(rep), int(def)
	if c.rep > c.leaf.rep || c.def > c.leaf.def {
		return errLevels
	}
	c.left--
	c.have = true
	return nil
}

// null reports whether the entry at hand has no value.
func (c *column) null() bool { return c.def < c.leaf.def }

// take takes the entry that peek found, with its value when it has one.
func (c *column) take() (v value, err error) {
	c.have = false
	if c.null() {
		return value{}, nil
	}
	if v, err = c.values.next(); err != nil {
		err = fmt.Errorf("column %q: %w", c.leaf.name, err)
	}
	return v, err
}

// skip moves over n rows.
func (c *column) skip(n int64) error {
	for range n {
		if err := c.peek(); err != nil {
			return err
		}
		if c.rep != 0 {
			return errLevels
		}
		if _, err := c.take(); err != nil {
			return err
		}
		for range c.reader.lines.max { // a longer row is refused elsewhere
			if c.leaf.rep == 0 {
				break
			}
			if err := c.peek(); errors.Is(err, io.EOF) || err == nil && c.rep == 0 {
				break
			} else if err != nil {
				return err
			}
			if _, err := c.take(); err != nil {
				return err
			}
		}
	}
	return nil
}

// page reads the next page.
func (c *column) page() error {
	t := c.reader.table
	p, err := t.pageHeader(c.at, c.end)
	if err != nil {
		return err
	}
	switch p.kind {
	case pageDictionary:
		if c.dict == nil || c.at != c.chunk.start() { // else it was read before
			err = c.readDictionary(p)
		}
	case pageData, pageDataV2:
		err = c.data(p)
	}
	c.at = p.at + p.packed
	return err
}

// readDictionary reads the dictionary page.
func (c *column) readDictionary(p page) error {
	if c.dict != nil {
		return errors.New("got a second dictionary, want one")
	}
	if p.encoding != encodingPlain && p.encoding != encodingPlainDict {
		return fmt.Errorf("got a dictionary in encoding %d, want plain", p.encoding)
	}
	raw, err := c.read(nil, p, 0)
	if err != nil {
		return err
	}
	// Values of bytes get an index of four bytes each, and take as many at least.
	if err := c.reader.account(int64(len(raw))); err != nil {
		return err
	}
	c.dict, err = newDictionary(c.leaf.leaf, raw, p.values)
	return err
}

// data reads a page of values.
func (c *column) data(p page) error {
	if c.dict == nil && (p.encoding == encodingPlainDict || p.encoding == encodingRLEDict) && c.at != c.chunk.start() {
		if err := c.findDictionary(); err != nil { // reading began behind it
			return err
		}
	}
	repBytes, defBytes := int64(0), int64(0)
	if p.kind == pageDataV2 {
		if defBytes, repBytes = p.levels[0], p.levels[1]; defBytes < 0 || repBytes < 0 || defBytes > p.packed || repBytes > p.packed-defBytes || defBytes+repBytes > p.plain {
			return fmt.Errorf("got levels of %d and %d bytes in a page of %d", repBytes, defBytes, p.packed)
		}
	}
	raw, err := c.read(c.buf, p, repBytes+defBytes)
	if err != nil {
		return err
	}
	c.buf = raw
	if p.kind == pageDataV2 {
		c.reps = levels(c.leaf.rep, raw[:repBytes])
		c.defs = levels(c.leaf.def, raw[repBytes:repBytes+defBytes])
		raw = raw[repBytes+defBytes:]
	} else {
		if c.reps, raw, err = levelsV1(c.leaf.rep, p.levels[1], raw); err != nil {
			return fmt.Errorf("repetition levels: %w", err)
		}
		if c.defs, raw, err = levelsV1(c.leaf.def, p.levels[0], raw); err != nil {
			return fmt.Errorf("definition levels: %w", err)
		}
	}
	c.left = p.values
	c.values, err = newValues(p.encoding, c.leaf.leaf, raw, c.dict, int(c.reader.table.format.MaxPageBytes))
	if err != nil && len(raw) == 0 { // a page of nulls need not have values that hang together
		c.values, err = &plainBytes{}, nil
	}
	return err
}

// findDictionary reads the page that the column chunk begins with.
func (c *column) findDictionary() error {
	p, err := c.reader.table.pageHeader(c.chunk.start(), c.end)
	if err != nil || p.kind != pageDictionary {
		return err
	}
	return c.readDictionary(p)
}

// levels reads levels up to most.
func levels(most int, raw []byte) runs { return runs{raw: raw, width: bitlen.Len(uint(most))} }

// levelsV1 reads levels that have their length before them.
func levelsV1(most int, encoding int64, raw []byte) (runs, []byte, error) {
	if most == 0 {
		return runs{}, raw, nil
	}
	if encoding != encodingRLE {
		return runs{}, nil, fmt.Errorf("got encoding %d, want RLE", encoding)
	}
	body, rest, err := prefixed(raw)
	return levels(most, body), rest, err
}

// read returns a page decompressed, in buf when it is large enough. Its first
// bytes, as many as stored says, are not compressed.
func (c *column) read(buf []byte, p page, stored int64) ([]byte, error) {
	r := c.reader
	grown := p.plain - int64(cap(buf))
	if grown > 0 {
		if err := r.account(grown); err != nil {
			return nil, err
		}
		buf = make([]byte, p.plain)
	}
	buf = buf[:p.plain]
	if c.chunk.codec == codecNone || p.stored {
		if p.packed != p.plain {
			return nil, fmt.Errorf("got a page of %d bytes that says it has %d", p.packed, p.plain)
		}
		if err := readFull(r.table.file, buf, p.at); err != nil {
			return nil, err
		}
		return buf, p.check(buf)
	}
	if int64(cap(r.packed)) < p.packed {
		if err := r.account(p.packed - int64(cap(r.packed))); err != nil {
			return nil, err
		}
		r.packed = make([]byte, p.packed)
	}
	packed := r.packed[:p.packed]
	if err := readFull(r.table.file, packed, p.at); err != nil {
		return nil, err
	}
	if err := p.check(packed); err != nil {
		return nil, err
	}
	copy(buf, packed[:stored])
	return buf, r.table.unpacker.unpack(c.chunk.codec, buf[stored:], packed[stored:])
}

// check holds a page's bytes against its checksum, if it has one.
func (p page) check(raw []byte) error {
	if got := crc32.ChecksumIEEE(raw); p.checked && got != uint32(p.checksum) {
		return fmt.Errorf("got checksum %08x, want %08x", got, uint32(p.checksum))
	}
	return nil
}
