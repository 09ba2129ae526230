package parquet

import (
	"fmt"
	"math"
	"sort"

	"github.com/posttrain/posttrain/data"
)

// table is an open file.
type table struct {
	file     data.File
	format   Format
	max      int // bytes of a row
	root     *node
	leaves   []*node
	unpacker unpacker

	groups []group
	blocks int
	last   *reader // the one that reads on, if any
}

// group is a row group with its rows cut into blocks.
type group struct {
	rowGroup
	from     int64 // rows of the groups before it
	block    int   // its first block
	perBlock int64 // rows of a block
}

// plan checks the description and cuts the row groups into blocks.
func (t *table) plan(raw []byte, maxColumns int) error {
	f, err := readFooter(raw, max(maxColumns, 1)*maxDepth)
	if err != nil {
		return fmt.Errorf("footer: %w", err)
	}
	if t.root, err = newSchema(f.elements, maxColumns); err != nil {
		return err
	}
	t.root.walk(func(leaf *node) { t.leaves = append(t.leaves, leaf) })
	from := int64(0)
	for _, g := range f.groups {
		indexed, err := t.checkGroup(g)
		if err != nil {
			return fmt.Errorf("row group %d: %w", g.at, err)
		}
		per := g.rows
		if indexed {
			per = int64(t.format.RowsPerBlock)
		}
		if g.rows > math.MaxInt32*(1<<16)-from { // rows and blocks are counted with int
			return fmt.Errorf("row group %d: got %d rows after %d, want fewer", g.at, g.rows, from)
		}
		t.groups = append(t.groups, group{rowGroup: g, from: from, block: t.blocks, perBlock: per})
		t.blocks += int((g.rows + per - 1) / per)
		from += g.rows
	}
	return nil
}

// checkGroup checks where a row group's columns are. indexed says that every one
// has an offset index.
func (t *table) checkGroup(g rowGroup) (indexed bool, err error) {
	n := 0
	indexed = true
	err = g.chunks(func(c chunk) error {
		n++
		if c.elsewhere {
			return fmt.Errorf("got data in another file, want it in this one")
		}
		if !c.described {
			return fmt.Errorf("got column %d without a description", n)
		}
		if err := checkCodec(c.codec); err != nil {
			return err
		}
		at, size := c.start(), t.file.Size
		if at < int64(len(magic)) || c.size < 0 || at > size || c.size > size-at {
			return fmt.Errorf("got a column chunk of %d bytes at %d, want one inside the file's %d", c.size, at, size)
		}
		if c.index < int64(len(magic)) || c.indexSize <= 0 || c.indexSize > t.format.MaxFooterBytes || c.index > size-c.indexSize {
			indexed = false
		}
		return nil
	})
	if err == nil && n != len(t.leaves) {
		err = fmt.Errorf("got %d columns, want the schema's %d", n, len(t.leaves))
	}
	return indexed, err
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
	r := t.last
	t.last = nil
	if r == nil || r.group != at || r.failed {
		r = t.reader(at)
	}
	if err := r.seek(row); err != nil {
		return nil, fault(t.file.Label, int(at.from+row)+1, err)
	}
	r.end = min(row+at.perBlock, at.rows)
	return &records{r}, nil
}

// Close frees what is open.
func (t *table) Close() error {
	t.last = nil
	t.unpacker.close()
	return nil
}
