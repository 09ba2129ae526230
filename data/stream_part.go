package data

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"
)

// mostOpen bounds the files of a part that are open at a time.
const mostOpen = 16

// part walks over the rows of files in a shuffled order: the blocks of all files
// in an order of the epoch, their rows shuffled in windows.
type part struct {
	files  []member
	blocks []int // of the files up to and with this one
	tables []Table
	used   []int // files with an open table, the latest last
	opts   *StreamOptions
	seed   uint64
	repeat bool // begin anew after the last epoch
	weight float64
	shape  Shape // of all rows

	walk    *Walk      // over blocks
	at      PartCursor // where the next window begins
	records Records    // of the block there, or nil
	window  window
}

// window is a run of rows in memory.
type window struct {
	raw   []byte
	rows  []windowRow
	order []int32
	next  int // of order
	start PartCursor
}

type windowRow struct {
	lo, hi int
	at     Place
}

// drawn is a row that a part gave.
type drawn struct {
	raw   []byte // valid until the part loads another window
	at    Place
	after PartCursor
	epoch int
	share float64 // epochs finished after the row
}

func openPart(p StreamPart, o *StreamOptions, index int) (*part, error) {
	fsys, name := p.FS, p.Path
	if fsys == nil {
		fsys, name = root(p.Path)
	}
	files, err := members(fsys, name, p.Path, o.Read)
	if err != nil {
		return nil, err
	}
	t := &part{files: files, opts: o, seed: mix(o.Batch.Seed, uint64(index)), weight: p.Weight, repeat: o.UntilAll, tables: make([]Table, len(files))}
	setDefaultWeight(&t.weight)
	total := 0
	for i := range files {
		table, err := t.table(i)
		if err != nil {
			return nil, errors.Join(err, t.close())
		}
		total += table.Blocks()
		t.blocks = append(t.blocks, total)
	}
	t.walk = NewWalk(total, WalkOptions{Seed: t.seed, Sequential: o.Batch.Sequential})
	return t, nil
}

func setDefaultWeight(w *float64) {
	if *w == 0 {
		*w = 1
	}
}

// table returns the table of a file, opened when it is not.
func (p *part) table(file int) (Table, error) {
	if at := slices.Index(p.used, file); at >= 0 {
		p.used = append(slices.Delete(p.used, at, at+1), file)
		return p.tables[file], nil
	}
	if len(p.used) == mostOpen {
		oldest := p.used[0]
		p.used = slices.Delete(p.used, 0, 1)
		if err := p.tables[oldest].Close(); err != nil {
			return nil, err
		}
	}
	table, err := p.files[file].table(p.opts.Read, p.opts.BlockBytes)
	if err != nil {
		return nil, err
	}
	p.tables[file] = table
	p.used = append(p.used, file)
	return table, nil
}

// open starts the block that is the n-th of the epoch's order.
func (p *part) open(n int) (Records, error) {
	block := int(p.walk.Order(p.at.Epoch)[n])
	file, exact := slices.BinarySearch(p.blocks, block)
	if exact {
		file++
		for p.blocks[file] == block { // files without a block
			file++
		}
	}
	first := 0
	if file > 0 {
		first = p.blocks[file-1]
	}
	table, err := p.table(file)
	if err != nil {
		return nil, err
	}
	return table.Block(block - first)
}

func (p *part) total() int { return p.blocks[len(p.blocks)-1] }

// empty reports whether the next row needs another window.
func (p *part) empty() bool { return p.window.next == len(p.window.order) }

// draw returns the next row, io.EOF after the last epoch.
func (p *part) draw() (drawn, error) {
	for tries := 0; p.empty(); tries++ {
		if n := p.opts.Batch.Epochs; n > 0 && p.at.Epoch >= n && !p.repeat {
			return drawn{}, io.EOF
		}
		if err := p.load(); err != nil {
			return drawn{}, err
		}
		if !p.empty() {
			break
		}
		if tries > 0 {
			return drawn{}, &Error{At: Place{File: p.files[0].label, Line: 1}, Got: "no rows", Want: "at least one JSON object"}
		}
		p.at = PartCursor{Epoch: p.at.Epoch + 1}
	}
	w := &p.window
	row := w.rows[w.order[w.next]]
	w.next++
	d := drawn{raw: w.raw[row.lo:row.hi], at: row.at, epoch: w.start.Epoch}
	d.after = p.at
	if !p.empty() {
		d.after = w.start
		d.after.Position = w.next
	}
	d.share = p.share()
	return d, nil
}

// share is how many epochs are finished, with the share of the one under way, by
// blocks.
func (p *part) share() float64 {
	w := &p.window
	if p.empty() {
		return float64(p.at.Epoch) + float64(p.at.Block)/float64(p.total())
	}
	from, to := float64(w.start.Block), float64(p.at.Block)
	return float64(w.start.Epoch) + (from+(to-from)*float64(w.next)/float64(len(w.order)))/float64(p.total())
}

// load fills the window with the rows from at on; it stays empty at the end of
// the epoch.
func (p *part) load() error {
	w := &p.window
	w.raw, w.rows, w.order, w.next, w.start = w.raw[:0], w.rows[:0], w.order[:0], 0, p.at
	for len(w.raw) < p.opts.WindowBytes {
		if p.records == nil {
			if p.at.Block >= p.total() {
				break
			}
			if err := p.begin(); err != nil {
				return err
			}
		}
		raw, at, err := p.records.Next()
		if errors.Is(err, io.EOF) {
			if err := p.end(); err != nil {
				return err
			}
			p.at.Block, p.at.Row = p.at.Block+1, 0
			continue
		}
		if err != nil {
			return err
		}
		lo := len(w.raw)
		w.raw = append(w.raw, raw...)
		w.rows = append(w.rows, windowRow{lo, len(w.raw), at})
		p.at.Row++
	}
	if p.opts.Batch.Sequential {
		for i := range w.rows {
			w.order = append(w.order, int32(i))
		}
		return nil
	}
	key := mix(mix(uint64(w.start.Epoch), uint64(w.start.Block)), uint64(w.start.Row))
	w.order = Permutation(w.order, len(w.rows), p.seed, key)
	return nil
}

// begin opens the block at the cursor, at its row.
func (p *part) begin() error {
	var err error
	if p.records, err = p.open(p.at.Block); err != nil {
		return err
	}
	if s, ok := p.records.(Skipper); ok && p.at.Row > 0 {
		return s.Skip(p.at.Row)
	}
	for range p.at.Row {
		if _, _, err := p.records.Next(); err != nil {
			return fmt.Errorf("data: Seek: row %d of block %d: %w", p.at.Row, p.at.Block, err)
		}
	}
	return nil
}

func (p *part) end() error {
	if p.records == nil {
		return nil
	}
	err := p.records.Close()
	p.records = nil
	return err
}

// seek moves to a cursor.
func (p *part) seek(c PartCursor) error {
	if c.Epoch < 0 || c.Block < 0 || c.Block > p.total() || c.Row < 0 || c.Position < 0 {
		return fmt.Errorf("data: Seek: got %+v, want a place in %d blocks", c, p.total())
	}
	if err := p.end(); err != nil {
		return err
	}
	p.at = PartCursor{Epoch: c.Epoch, Block: c.Block, Row: c.Row}
	p.window.order, p.window.next = p.window.order[:0], 0
	if c.Position == 0 && c.Row == 0 {
		return nil
	}
	if err := p.load(); err != nil {
		return err
	}
	if c.Position > 0 && c.Position >= len(p.window.order) {
		return fmt.Errorf("data: Seek: got %+v, want a place in a window of %d rows", c, len(p.window.order))
	}
	p.window.next = c.Position
	return nil
}

func (p *part) close() error {
	errs := []error{p.end()}
	for _, file := range p.used {
		errs = append(errs, p.tables[file].Close())
	}
	p.used = nil
	return errors.Join(errs...)
}

// mix hashes two numbers into one (the multiply-fold of wyhash).
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0x9e3779b97f4a7c15, b^0xd1b54a32d192ed03)
	hi, lo = bits.Mul64(hi^lo^0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9^b)
	return hi ^ lo
}
