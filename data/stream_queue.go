package data

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

const (
	queueRows  = 256     // drawn and tokenised at a time
	queueBytes = 4 << 20 // or fewer, of so much text
)

// queue draws rows ahead and tokenises them in parallel.
type queue struct {
	stream  *Stream
	workers []worker
	entries []entry
	used    int // of entries
	next    int
	drawn   int          // rows drawn so far: keys the choice of parts
	weights []float64    // by part
	ahead   []PartCursor // behind the rows drawn, by part
	shares  []float64    // epochs finished, by part
	end     error        // why nothing more is drawn
}

// entry is a row on its way.
type entry struct {
	part    int
	row     drawn
	example Example
	ok      bool // the row became an example
	report  Report
	err     error
}

// worker tokenises rows.
type worker struct{ prepare *Preparer }

// init makes the workers and fixes the shapes by the first rows.
func (q *queue) init(s *Stream, enc Encoder) error {
	q.stream, q.shares, q.ahead = s, make([]float64, len(s.parts)), make([]PartCursor, len(s.parts))
	for _, p := range s.parts {
		q.weights = append(q.weights, p.weight)
	}
	for range s.opts.Workers {
		p, err := NewPreparer(enc, s.opts.Prepare)
		if err != nil {
			return err
		}
		q.workers = append(q.workers, worker{p})
	}
	q.entries = make([]entry, queueRows)
	return s.identify()
}

// restart forgets what was drawn, at a number of rows.
func (q *queue) restart(drawn int) {
	q.used, q.next, q.drawn, q.end = 0, 0, drawn, nil
	for i, c := range q.stream.cursor.Parts {
		q.shares[i], q.ahead[i] = q.stream.parts[i].share(), c
	}
}

// peek returns the next row, tokenised; it stays the next one.
func (q *queue) peek() (*entry, error) {
	if q.next == q.used {
		if err := q.refill(); err != nil {
			return nil, err
		}
	}
	return &q.entries[q.next], nil
}

// refill draws rows up to where a window would have to be replaced, and tokenises
// them.
func (q *queue) refill() error {
	q.used, q.next = 0, 0
	for bytes := 0; q.used < len(q.entries) && bytes < queueBytes && q.end == nil; {
		i := q.choose()
		p := q.stream.parts[i]
		if p.empty() && q.used > 0 {
			break
		}
		if q.finished() {
			q.end = io.EOF
			break
		}
		row, err := p.draw()
		if err != nil {
			q.end = err
			break
		}
		q.drawn++
		q.ahead[i] = row.after
		e := &q.entries[q.used]
		e.part, e.row = i, row
		q.used++
		bytes += len(row.raw)
	}
	if q.used == 0 {
		return q.end
	}
	q.tokenize()
	return nil
}

// finished reports whether, with UntilAll, every part went through its epochs.
func (q *queue) finished() bool {
	o := &q.stream.opts
	if o.Batch.Epochs == 0 || !o.UntilAll {
		return false
	}
	for i, c := range q.ahead {
		last := c.Epoch == o.Batch.Epochs-1 && c.Block == q.stream.parts[i].total()
		if c.Epoch < o.Batch.Epochs && !last {
			return false
		}
	}
	return true
}

// choose returns the part that the next row comes from: i with probability
// weight i / Σ weights, by a hash of the seed and the row's number.
func (q *queue) choose() int {
	parts := q.stream.parts
	if len(parts) == 1 {
		return 0
	}
	return pick(q.weights, mix(q.stream.opts.Batch.Seed, uint64(q.drawn)))
}

// tokenize makes examples of the rows drawn.
func (q *queue) tokenize() {
	var next atomic.Int64
	run := func(w *worker) {
		for {
			i := int(next.Add(1)) - 1
			if i >= q.used {
				return
			}
			w.do(&q.entries[i], q.stream.parts[q.entries[i].part])
		}
	}
	var group sync.WaitGroup
	for i := range q.workers[1:] {
		group.Go(func() { run(&q.workers[i+1]) })
	}
	run(&q.workers[0])
	group.Wait()
}

// do makes an example of a row and counts what became of it.
func (w *worker) do(e *entry, p *part) {
	w.prepare.report = Report{}
	e.example = Example{IDs: e.example.IDs[:0], Roles: e.example.Roles[:0], Mask: e.example.Mask[:0]}
	row, err := (&decoder{opts: p.opts.Read, shape: p.shape}).row(e.row.raw, e.row.at)
	var made Example
	if e.ok = false; err == nil {
		made, e.ok, err = w.prepare.Example(row)
	}
	e.err, e.report = err, w.prepare.report
	if !e.ok {
		return
	}
	e.example.IDs = append(e.example.IDs, made.IDs...)
	e.example.Roles = append(e.example.Roles, made.Roles...)
	e.example.Mask = append(e.example.Mask, made.Mask...)
	e.example.Prompt, e.example.At = made.Prompt, made.At
}

// firstRow returns the first row of the part's files.
func (p *part) firstRow() ([]byte, Place, error) {
	for i := range p.total() {
		file := 0
		for p.blocks[file] <= i {
			file++
		}
		before := 0
		if file > 0 {
			before = p.blocks[file-1]
		}
		table, err := p.table(file)
		if err != nil {
			return nil, Place{}, err
		}
		records, err := table.Block(i - before)
		if err != nil {
			return nil, Place{}, err
		}
		raw, at, err := records.Next()
		raw = append([]byte(nil), raw...)
		if err := errors.Join(ignoreEOF(err), records.Close()); err != nil {
			return nil, at, err
		}
		if err == nil {
			return raw, at, nil
		}
	}
	return nil, Place{}, &Error{At: Place{File: p.files[0].label, Line: 1}, Got: "no rows", Want: "at least one JSON object"}
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
