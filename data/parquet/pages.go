package parquet

import (
	"errors"
	"fmt"

	"github.com/parquet-go/parquet-go/format"
)

// page is what the header of a page says (parquet.thrift, PageHeader).
type page struct {
	at     int64 // where the page itself begins, behind the header
	kind   int64
	plain  int64 // bytes decompressed
	packed int64 // bytes in the file

	values, nulls int64 // nulls of version 2 only
	encoding      int64
	levels        int64 // bytes of the levels, of version 2 only
	stored        bool  // version 2: values are not compressed
}

// Fields of a page's header, as parent<<8 | field: the parent is 5 for pages of
// version 1, 8 for those of version 2.
const (
	fieldKind         = 1
	fieldPlain        = 2
	fieldPacked       = 3
	fieldValuesV1     = 5<<8 | 1
	fieldEncodingV1   = 5<<8 | 2
	fieldValuesV2     = 8<<8 | 1
	fieldNullsV2      = 8<<8 | 2
	fieldEncodingV2   = 8<<8 | 4
	fieldDefinitionV2 = 8<<8 | 5
	fieldRepetitionV2 = 8<<8 | 6
	fieldCompressedV2 = 8<<8 | 7
)

func (p *page) set(parent, field int, value int64) {
	switch parent<<8 | field {
	case fieldKind:
		p.kind = value
	case fieldPlain:
		p.plain = value
	case fieldPacked:
		p.packed = value
	case fieldValuesV1, fieldValuesV2:
		p.values = value
	case fieldNullsV2:
		p.nulls = value
	case fieldEncodingV1, fieldEncodingV2:
		p.encoding = value
	case fieldDefinitionV2, fieldRepetitionV2:
		p.levels += value
	case fieldCompressedV2:
		p.stored = value == 0
	}
}

// headerSteps are how much of a page's header is read at once: more when it turns
// out longer.
var headerSteps = [...]int64{512, 16 << 10, 1 << 20}

// pages walks over the headers of a column chunk's pages, without reading the
// pages. Every page must lie inside the chunk and the chunk inside the file.
func (t *table) pages(c *format.ColumnChunk, visit func(page) error) error {
	m := &c.MetaData
	at := m.DataPageOffset
	if m.DictionaryPageOffset != 0 {
		at = min(at, m.DictionaryPageOffset)
	}
	size := m.TotalCompressedSize
	if at < int64(len(magic)) || size < 0 || at > t.file.Size || size > t.file.Size-at {
		return fmt.Errorf("got a column chunk of %d bytes at %d, want one inside the file's %d", size, at, t.file.Size)
	}
	for end := at + size; at < end; {
		p, err := t.pageHeader(at, end)
		if err != nil {
			return fmt.Errorf("page at byte %d: %w", at, err)
		}
		if p.packed < 0 || p.packed > end-p.at || p.plain < 0 || p.plain > t.format.MaxPageBytes {
			return fmt.Errorf("got a page of %d bytes (%d decompressed) where %d are left, want at most that and %d (Format.MaxPageBytes)", p.packed, p.plain, end-p.at, t.format.MaxPageBytes)
		}
		if err := visit(p); err != nil {
			return fmt.Errorf("page at byte %d: %w", at, err)
		}
		at = p.at + p.packed
	}
	return nil
}

// pageHeader reads the header at a place.
func (t *table) pageHeader(at, end int64) (page, error) {
	for _, step := range headerSteps {
		step = min(step, end-at)
		raw := make([]byte, step)
		if err := readFull(t.file, raw, at); err != nil {
			return page{}, err
		}
		p := page{packed: -1, plain: -1}
		n, err := checkStruct(raw, p.set)
		if err == nil {
			p.at = at + int64(n)
			return p, nil
		}
		if !errors.Is(err, errShort) || step == end-at {
			return page{}, err
		}
	}
	return page{}, errShort
}

// checkIndex makes sure of a column chunk's offset index; false: there is none.
func (t *table) checkIndex(c *format.ColumnChunk) bool {
	at, size := c.OffsetIndexOffset, int64(c.OffsetIndexLength)
	if at < int64(len(magic)) || size <= 0 || size > t.format.MaxFooterBytes || at > t.file.Size-size {
		return false
	}
	raw := make([]byte, size)
	if readFull(t.file, raw, at) != nil {
		return false
	}
	n, err := checkStruct(raw, nil)
	return err == nil && n == len(raw)
}
