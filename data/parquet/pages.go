package parquet

import (
	"errors"
	"fmt"
)

// page is what the header of a page says (parquet.thrift, PageHeader).
type page struct {
	at       int64 // where the page itself begins, behind the header
	kind     int64
	plain    int64 // bytes decompressed
	packed   int64 // bytes in the file
	checksum int64
	checked  bool // there is a checksum

	values   int64
	encoding int64
	levels   [2]int64 // version 1: encodings of definition and repetition levels; version 2: their lengths
	stored   bool     // version 2: values are not compressed
}

// Kinds of pages.
const (
	pageData       = 0
	pageIndex      = 1
	pageDictionary = 2
	pageDataV2     = 3
)

// headerSteps are how much of a page's header is read at once: more when it turns
// out longer.
var headerSteps = [...]int64{512, 16 << 10, 1 << 20}

// pageHeader reads the header at a place. The page must lie before end.
func (t *table) pageHeader(at, end int64) (page, error) {
	for _, step := range headerSteps {
		step = min(step, end-at)
		raw := make([]byte, step)
		if err := readFull(t.file, raw, at); err != nil {
			return page{}, err
		}
		d := &decoder{raw: raw}
		p, err := d.page()
		if err == nil {
			p.at = at + int64(d.at)
			return p, t.checkPage(p, end)
		}
		if !errors.Is(err, errShort) || step == end-at {
			return page{}, err
		}
	}
	return page{}, errShort
}

// checkPage holds sizes against limits before anything of those sizes is allocated.
func (t *table) checkPage(p page, end int64) error {
	most := t.format.MaxPageBytes
	if p.packed < 0 || p.packed > end-p.at || p.plain < 0 || p.plain > most {
		return fmt.Errorf("got a page of %d bytes (%d decompressed) where %d are left, want at most that and %d (Format.MaxPageBytes)", p.packed, p.plain, end-p.at, most)
	}
	if p.values < 0 || p.values > most {
		return fmt.Errorf("got a page of %d values, want at most %d (Format.MaxPageBytes)", p.values, most)
	}
	if p.kind < pageData || p.kind > pageDataV2 {
		return fmt.Errorf("got a page of kind %d, want 0 to %d", p.kind, pageDataV2)
	}
	return nil
}

func (d *decoder) page() (page, error) {
	p := page{kind: -1, packed: -1, plain: -1, encoding: -1}
	err := d.structure(func(field int, kind byte) error {
		switch field {
		case 1:
			return d.number(kind, &p.kind)
		case 2:
			return d.number(kind, &p.plain)
		case 3:
			return d.number(kind, &p.packed)
		case 4:
			p.checked = true
			return d.number(kind, &p.checksum)
		case 5, 7, 8: // data, dictionary, data of version 2
			return d.inner(kind, func(inner int, kind byte) error { return d.pageField(&p, field, inner, kind) })
		}
		return d.skip(kind)
	})
	return p, err
}

// pageField reads a field of the header that pages of one kind have. All begin
// with the number of values.
func (d *decoder) pageField(p *page, of, field int, kind byte) error {
	switch {
	case field == 1:
		return d.number(kind, &p.values)
	case of != 8 && field == 2, of == 8 && field == 4:
		return d.number(kind, &p.encoding)
	case of == 5 && field == 3, of == 8 && field == 5:
		return d.number(kind, &p.levels[0])
	case of == 5 && field == 4, of == 8 && field == 6:
		return d.number(kind, &p.levels[1])
	case of == 8 && field == 7:
		compressed := true
		err := d.flag(kind, &compressed)
		p.stored = !compressed
		return err
	}
	return d.skip(kind)
}

// locate returns the page of a column chunk that a row of its row group is in, and
// the row that the page begins with, from the offset index.
func (t *table) locate(c chunk, row int64) (at, first int64, err error) {
	raw := make([]byte, c.indexSize) // checked against the file and MaxFooterBytes
	if err := readFull(t.file, raw, c.index); err != nil {
		return 0, 0, err
	}
	at, first = c.start(), -1
	d := &decoder{raw: raw}
	err = d.structure(func(field int, kind byte) error {
		if field != 1 {
			return d.skip(kind)
		}
		return d.list(kind, func(kind byte) error {
			var offset, begins int64
			err := d.inner(kind, func(field int, kind byte) error {
				switch field {
				case 1:
					return d.number(kind, &offset)
				case 3:
					return d.number(kind, &begins)
				}
				return d.skip(kind)
			})
			if begins > first && begins <= row {
				at, first = offset, begins
			}
			return err
		})
	})
	if err == nil && (first < 0 || at < c.start() || at-c.start() >= c.size) {
		err = fmt.Errorf("got a page of row %d at byte %d, want one in the column's bytes", row, at)
	}
	if err != nil {
		err = fmt.Errorf("offset index: %w", err)
	}
	return at, first, err
}
