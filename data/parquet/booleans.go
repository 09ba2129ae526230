package parquet

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// The library (v0.32.0) misreads booleans in the RLE encoding, which pages of
// version 2 have: of a run it takes the byte that says true for eight values of
// which the first is true. Labels are such columns, so their values are decoded
// here, and the library's are only used for their levels.

// booleans are the values of a column chunk that are not null.
type booleans struct {
	values []bool
	next   int
}

// booleansOf decodes a chunk of booleans; nil when the library reads it well.
func (t *table) booleansOf(leaf *node, c *format.ColumnChunk) (*booleans, error) {
	var list []page
	faulty := false
	err := t.pages(c, func(p page) error {
		if p.kind == int64(format.DataPage) || p.kind == int64(format.DataPageV2) {
			list = append(list, p)
			faulty = faulty || p.encoding == int64(format.RLE)
		}
		return nil
	})
	if err != nil || !faulty {
		return nil, err
	}
	b := &booleans{}
	for _, p := range list {
		if err := t.decodeBooleans(b, leaf, c.MetaData.Codec, p); err != nil {
			return nil, fmt.Errorf("page at byte %d: %w", p.at, err)
		}
	}
	return b, nil
}

// decodeBooleans appends the values of a page.
func (t *table) decodeBooleans(b *booleans, leaf *node, codec format.CompressionCodec, p page) error {
	raw := make([]byte, p.packed)
	if err := readFull(t.file, raw, p.at); err != nil {
		return err
	}
	want := p.values - p.nulls
	if p.kind == int64(format.DataPageV2) {
		if p.levels < 0 || p.levels > int64(len(raw)) {
			return fmt.Errorf("got levels of %d bytes in a page of %d", p.levels, len(raw))
		}
		raw = raw[p.levels:]
	}
	if !p.stored && codec != format.Uncompressed {
		var err error
		if raw, err = pq.LookupCompressionCodec(codec).Decode(make([]byte, 0, p.plain), raw); err != nil {
			return err
		}
	}
	if p.kind == int64(format.DataPage) {
		var err error
		if raw, want, err = skipLevels(raw, leaf, p.values); err != nil {
			return err
		}
	}
	if want < 0 || want+int64(len(b.values)) > t.format.MaxPageBytes {
		return fmt.Errorf("got %d booleans more, want at most %d in a row group (Format.MaxPageBytes)", want, t.format.MaxPageBytes)
	}
	switch p.encoding {
	case int64(format.Plain):
		if want > 8*int64(len(raw)) {
			return fmt.Errorf("got %d booleans in %d bytes", want, len(raw))
		}
		for i := range want {
			b.values = append(b.values, raw[i/8]>>(i%8)&1 == 1)
		}
		return nil
	case int64(format.RLE):
		body, _, err := prefixed(raw)
		if err != nil {
			return err
		}
		return runs(body, 1, want, func(value uint64) { b.values = append(b.values, value == 1) })
	}
	return fmt.Errorf("got encoding %v of booleans, want plain or RLE", format.Encoding(p.encoding))
}

// fix puts the values where the library's are.
func (b *booleans) fix(row pq.Row, column int) error {
	for i, v := range row {
		if v.Column() != column || v.IsNull() {
			continue
		}
		if b.next == len(b.values) {
			return errLevels
		}
		row[i] = pq.BooleanValue(b.values[b.next]).Level(v.RepetitionLevel(), v.DefinitionLevel(), column)
		b.next++
	}
	return nil
}

// skipLevels returns the values of a page of version 1 and how many are not null.
func skipLevels(raw []byte, leaf *node, values int64) (rest []byte, present int64, err error) {
	if leaf.rep > 0 {
		if _, raw, err = prefixed(raw); err != nil {
			return nil, 0, err
		}
	}
	if leaf.def == 0 {
		return raw, values, nil
	}
	levels, rest, err := prefixed(raw)
	if err != nil {
		return nil, 0, err
	}
	width := bits.Len(uint(leaf.def))
	err = runs(levels, width, values, func(level uint64) {
		if level == uint64(leaf.def) {
			present++
		}
	})
	return rest, present, err
}

// prefixed takes bytes apart that begin with their length.
func prefixed(raw []byte) (body, rest []byte, err error) {
	if len(raw) < 4 {
		return nil, nil, fmt.Errorf("got %d bytes, want a length", len(raw))
	}
	n := binary.LittleEndian.Uint32(raw)
	raw = raw[4:]
	if int64(n) > int64(len(raw)) {
		return nil, nil, fmt.Errorf("got a length of %d, want at most the %d bytes left", n, len(raw))
	}
	return raw[:n], raw[n:], nil
}

// runs decodes count values of the RLE and bit-packing hybrid (Encodings.md).
func runs(raw []byte, width int, count int64, visit func(uint64)) error {
	bytes := (width + 7) / 8
	for count > 0 {
		head, n := binary.Uvarint(raw)
		if n <= 0 {
			return fmt.Errorf("got the end of runs, want %d values more", count)
		}
		raw = raw[n:]
		if head&1 == 0 { // one value, repeated
			if len(raw) < bytes {
				return fmt.Errorf("got the end of runs in a value")
			}
			value := uint64(0)
			for i := range bytes {
				value |= uint64(raw[i]) << (8 * i)
			}
			raw = raw[bytes:]
			for range min(int64(head>>1), count) {
				visit(value)
			}
			count -= min(int64(head>>1), count)
			continue
		}
		size := min(head>>1, uint64(count)) * uint64(width) // groups of eight values
		size = min(size, uint64(len(raw)))
		values := min(int64(size)*8/int64(width), count)
		for i := range values {
			value := uint64(0)
			for bit := range width {
				at := int(i)*width + bit
				value |= uint64(raw[at/8]>>(at%8)&1) << bit
			}
			visit(value)
		}
		if values == 0 {
			return fmt.Errorf("got the end of runs, want %d values more", count)
		}
		raw, count = raw[size:], count-values
	}
	return nil
}
