package parquet

import (
	"errors"
	"fmt"
	"io"

	"github.com/posttrain/posttrain/data"
)

// reader reads the rows of a row group in order, from any one on.
type reader struct {
	table  *table
	group  *group
	row    int64 // the next one, in the group
	end    int64 // of the block
	lines  assembler
	packed []byte // a page as it is in the file
	used   int64  // bytes of the pages and dictionaries of all columns
	failed bool
}

// reader opens a row group; seek says from which row on.
func (t *table) reader(g *group) *reader {
	r := &reader{table: t, group: g, row: -1}
	r.lines = assembler{root: t.root, max: t.max, cols: make([]column, 0, len(t.leaves))}
	_ = g.chunks(func(c chunk) error { // as checkGroup saw them
		r.lines.cols = append(r.lines.cols, column{reader: r, leaf: t.leaves[len(r.lines.cols)], chunk: c})
		return nil
	})
	return r
}

// account takes note of memory that is about to be allocated.
func (r *reader) account(bytes int64) error {
	if r.used += bytes; r.used > r.table.format.MaxBytes {
		return fmt.Errorf("got pages of %d bytes of all columns together, want at most %d (Format.MaxBytes)", r.used, r.table.format.MaxBytes)
	}
	return nil
}

// seek moves to a row of the group.
func (r *reader) seek(row int64) error {
	if r.row == row {
		return nil
	}
	r.failed = true // until it went well
	for l := range r.lines.cols {
		c := &r.lines.cols[l]
		at, first := c.chunk.start(), int64(0)
		if row > 0 && r.group.perBlock < r.group.rows {
			var err error
			if at, first, err = r.table.locate(c.chunk, row); err != nil {
				return fmt.Errorf("column %q: %w", c.leaf.name, err)
			}
		}
		c.open(at)
		if err := c.skip(row - first); err != nil {
			return r.short(err)
		}
	}
	r.row, r.failed = row, false
	return nil
}

// short says what the end of a column means.
func (r *reader) short(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("got the end of a column, want %d rows in the row group", r.group.rows)
	}
	return err
}

// place is where the next row is.
func (r *reader) place() data.Place {
	return data.Place{File: r.table.file.Label, Line: int(r.group.from+r.row) + 1}
}

// next returns the next row before end.
func (r *reader) next() ([]byte, data.Place, error) {
	if r.row == r.end {
		return nil, data.Place{}, io.EOF
	}
	place := r.place()
	raw, err := r.lines.row()
	if err != nil {
		r.failed = true
		return nil, place, fault(place.File, place.Line, r.short(err))
	}
	r.row++
	return raw, place, nil
}

// skip moves over n rows.
func (r *reader) skip(n int64) error {
	n = min(n, r.end-r.row)
	for l := range r.lines.cols {
		if err := r.lines.cols[l].skip(n); err != nil {
			r.failed = true
			place := r.place()
			return fault(place.File, place.Line, r.short(err))
		}
	}
	r.row += n
	return nil
}

// records are the rows of a block.
type records struct{ reader *reader }

// Next implements data.Records.
func (r *records) Next() ([]byte, data.Place, error) { return r.reader.next() }

// Skip implements data.Skipper.
func (r *records) Skip(n int) error { return r.reader.skip(int64(n)) }

// Close keeps the reader for a block that follows.
func (r *records) Close() error {
	r.reader.table.last = r.reader
	return nil
}
