package parquet

import (
	"errors"
	"fmt"
	"io"
	"sort"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/posttrain/posttrain/data"
)

// table is an open file.
type table struct {
	file   data.File
	format Format
	max    int // bytes of a row
	open   *pq.File
	root   *node
	truths []*node // columns of booleans

	groups  []group
	blocks  int
	checked map[int]bool // row groups whose pages were looked at
	last    *reader      // the one that reads on, if any
}

// group is a row group.
type group struct {
	index      int   // in the file, which may have empty ones
	rows, from int64 // number of rows, and of those in groups before it
	block      int   // its first block
	perBlock   int64 // rows of a block
}

// codecs are those that are read. The library's LZ4 takes memory without end when
// a page is broken.
const codecs = "zstd, snappy, gzip, brotli or none (write the file anew with one of them)"

// plan checks the schema against the row groups and cuts these into blocks.
func (t *table) plan(maxColumns int) error {
	m := t.open.Metadata()
	var err error
	if t.root, err = newSchema(m.Schema, maxColumns); err != nil {
		return err
	}
	t.root.walk(func(leaf *node) {
		if leaf.leaf.boolean {
			t.truths = append(t.truths, leaf)
		}
	})
	from := int64(0)
	for i := range m.RowGroups {
		g := &m.RowGroups[i]
		if g.NumRows < 0 || len(g.Columns) != t.root.hi {
			return fmt.Errorf("row group %d: got %d rows and %d columns, want %d columns", i, g.NumRows, len(g.Columns), t.root.hi)
		}
		indexed := g.NumRows > 0 && len(t.truths) == 0 // booleans are read from a group's start
		for c := range g.Columns {
			if g.Columns[c].FilePath != "" {
				return fmt.Errorf("row group %d: got data in another file (%q), want it in this one", i, g.Columns[c].FilePath)
			}
			if codec := g.Columns[c].MetaData.Codec; codec == format.Lz4 || codec == format.Lz4Raw || codec == format.LZO {
				return fmt.Errorf("row group %d: got pages compressed with %v, want %s", i, codec, codecs)
			}
			indexed = indexed && t.checkIndex(&g.Columns[c])
		}
		if g.NumRows == 0 {
			continue
		}
		per := g.NumRows
		if indexed {
			per = int64(t.format.RowsPerBlock)
		}
		t.groups = append(t.groups, group{index: i, rows: g.NumRows, from: from, block: t.blocks, perBlock: per})
		t.blocks += int((g.NumRows + per - 1) / per)
		from += g.NumRows
	}
	return nil
}

// Blocks returns the number of blocks.
func (t *table) Blocks() int { return t.blocks }

// Block returns the rows of block i. Reading blocks in order reads the file once.
func (t *table) Block(i int) (data.Records, error) {
	if i < 0 || i >= t.blocks {
		return nil, fmt.Errorf("data: %s: block %d: want one of %d", t.file.Label, i, t.blocks)
	}
	g := sort.Search(len(t.groups), func(g int) bool { return t.groups[g].block > i }) - 1
	at := &t.groups[g]
	row := int64(i-at.block) * at.perBlock
	end := min(row+at.perBlock, at.rows)
	r := t.last
	t.last = nil
	if r == nil || r.group != g || r.row != row || r.failed {
		r.close()
		var err error
		if r, err = t.reader(g, row); err != nil {
			return nil, fault(t.file.Label, int(at.from+row)+1, err)
		}
	}
	r.end = end
	return &records{r}, nil
}

// reader opens a row group at one of its rows.
func (t *table) reader(g int, row int64) (*reader, error) {
	at := &t.groups[g]
	columns := t.open.Metadata().RowGroups[at.index].Columns
	for c := range columns {
		if t.checked[g] {
			break
		}
		if err := t.pages(&columns[c], func(page) error { return nil }); err != nil {
			return nil, err
		}
	}
	t.checked[g] = true
	r := &reader{table: t, group: g, row: row, lines: assembler{root: t.root, max: t.max}, truths: map[int]*booleans{}}
	for _, leaf := range t.truths {
		b, err := t.booleansOf(leaf, &columns[leaf.lo])
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", leaf.name, err)
		}
		if b != nil {
			r.truths[leaf.lo] = b
		}
	}
	return r, guard(func() error {
		rows := t.open.RowGroups()[at.index]
		if at.perBlock < at.rows {
			for _, c := range rows.ColumnChunks() {
				if _, err := c.OffsetIndex(); err != nil {
					return err
				}
			}
		}
		r.rows = rows.Rows()
		if row == 0 {
			return nil
		}
		return r.rows.SeekToRow(row)
	})
}

// Close frees what is open.
func (t *table) Close() error {
	err := t.last.close()
	t.last = nil
	return err
}

// reader reads a row group from one of its rows on.
type reader struct {
	table *table
	group int
	row   int64 // the next one, in the group
	end   int64 // of the block
	rows  pq.Rows

	buf    [32]pq.Row
	n, at  int // rows in buf, and of them returned
	lines  assembler
	truths map[int]*booleans // by column
	failed bool
}

func (r *reader) close() error {
	if r == nil || r.rows == nil {
		return nil
	}
	rows := r.rows
	r.rows = nil
	return guard(rows.Close)
}

// next returns the next row before end.
func (r *reader) next() ([]byte, data.Place, error) {
	if r.row == r.end {
		return nil, data.Place{}, io.EOF
	}
	place := data.Place{File: r.table.file.Label, Line: int(r.table.groups[r.group].from+r.row) + 1}
	var raw []byte
	err := guard(func() (err error) {
		if r.at == r.n {
			if err = r.fill(); err != nil {
				return err
			}
		}
		raw, err = r.lines.row(r.buf[r.at])
		return err
	})
	if err != nil {
		r.failed = true
		return nil, place, fault(place.File, place.Line, err)
	}
	r.at++
	r.row++
	return raw, place, nil
}

// fill reads the next rows.
func (r *reader) fill() error {
	n, err := r.rows.ReadRows(r.buf[:])
	r.n, r.at = n, 0
	switch {
	case n > 0:
		for column, b := range r.truths {
			for _, row := range r.buf[:n] {
				if err := b.fix(row, column); err != nil {
					return err
				}
			}
		}
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return fmt.Errorf("got the end of the row group after %d rows, want %d", r.row, r.table.groups[r.group].rows)
	}
	return err
}

// skip moves over n rows.
func (r *reader) skip(n int64) error {
	n = min(n, r.end-r.row)
	if ahead := int64(r.n - r.at); n <= ahead {
		r.at += int(n)
		r.row += n
		return nil
	}
	if len(r.truths) > 0 {
		for range n {
			if _, _, err := r.next(); err != nil {
				return err
			}
		}
		return nil
	}
	r.row += n
	r.n, r.at = 0, 0
	if err := guard(func() error { return r.rows.SeekToRow(r.row) }); err != nil {
		r.failed = true
		return fault(r.table.file.Label, int(r.table.groups[r.group].from+r.row)+1, err)
	}
	return nil
}

// records are the rows of a block.
type records struct{ reader *reader }

// Next implements data.Records.
func (r *records) Next() ([]byte, data.Place, error) { return r.reader.next() }

// Skip implements data.Skipper.
func (r *records) Skip(n int) error { return r.reader.skip(int64(n)) }

// Close keeps the reader for the block that follows.
func (r *records) Close() error {
	t := r.reader.table
	if t.last != nil && t.last != r.reader {
		if err := t.last.close(); err != nil {
			return err
		}
	}
	t.last = r.reader
	return nil
}
