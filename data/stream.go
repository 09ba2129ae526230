package data

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// Stream forms optimizer steps out of files that need not fit in memory: a
// [StepSource] that reads, shuffles and tokenises rows as it goes, from one part
// or mixed from several in proportion to their weights.
//
// The order depends on the seed and the files alone. Each epoch, the blocks of all
// files of a part (pieces of JSON Lines files, blocks of a [Format]'s tables) come
// in another order, and windows of rows in that order are shuffled. With several
// parts each row drawn is of part i with probability proportional to its weight; a
// part that ends begins anew, and steps span epochs, which with one part they do
// not.
//
// A stream set to a [Cursor] goes on as if it had never stopped, and reads the
// window under way again, no more: for JSON Lines from a byte on, for other
// formats from a block on. Files that can only be read from their start
// (compressed ones, JSON lists, CSV) are one block each: their rows are shuffled in
// windows only, and going on in the middle reads (but does not tokenise) what
// stands before.
//
// Rows are tokenised in parallel; results do not depend on it. Memory: a window
// for each part, and a few MiB. A stream is not safe for concurrent use.
type Stream struct {
	parts  []*part
	opts   StreamOptions
	queue  queue
	cursor Cursor
	report Report

	filler      filler
	set         Dataset // of the step
	order       []int32
	fingerprint string
}

// OpenStream opens the parts and looks at their first rows, which fix the shape of
// each part. enc, and the renderer in the options, must be safe for concurrent use.
func OpenStream(parts []StreamPart, enc Encoder, o StreamOptions) (*Stream, error) {
	if len(parts) == 0 {
		return nil, errors.New("data: OpenStream: got no part, want at least one")
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	s := &Stream{opts: o}
	for i, p := range parts {
		if !(p.Weight >= 0) || p.Weight > 1e300 {
			return nil, errors.Join(fmt.Errorf("data: OpenStream: %s: got weight %v, want a number from 0 on", p.Path, p.Weight), s.Close())
		}
		part, err := openPart(p, &s.opts, i)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.parts = append(s.parts, part)
	}
	s.cursor.Parts = make([]PartCursor, len(s.parts))
	if err := s.queue.init(s, enc); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Options returns the options of the batches with all defaults filled in.
func (s *Stream) Options() BatchOptions { return s.opts.Batch }

// Report counts what became of the rows used since the stream was opened.
func (s *Stream) Report() Report { return s.report }

// Cursor returns the place before the next step.
func (s *Stream) Cursor() Cursor {
	c := s.cursor
	c.Epoch = s.epoch()
	c.Parts = slices.Clone(c.Parts)
	return c
}

// epoch is the least of the parts' epochs.
func (s *Stream) epoch() int {
	least := s.cursor.Parts[0].Epoch
	for _, p := range s.cursor.Parts {
		least = min(least, p.Epoch)
	}
	return least
}

// Seek moves to a cursor that Cursor returned, of this Stream or of one with the
// same fingerprint, or to the zero cursor, the start.
func (s *Stream) Seek(c Cursor) error {
	if len(c.Parts) == 0 && c.Epoch == 0 && c.Position == 0 {
		c.Parts = make([]PartCursor, len(s.parts))
	}
	if len(c.Parts) != len(s.parts) || c.Position < 0 {
		return fmt.Errorf("data: Seek: got a cursor of %d parts at row %d, want one of %d parts", len(c.Parts), c.Position, len(s.parts))
	}
	for i, p := range s.parts {
		if err := p.seek(c.Parts[i]); err != nil {
			return err
		}
	}
	s.cursor = Cursor{Position: c.Position, Parts: slices.Clone(c.Parts)}
	s.queue.restart(c.Position)
	return nil
}

// Close closes the files.
func (s *Stream) Close() error {
	var errs []error
	for _, p := range s.parts {
		errs = append(errs, p.close())
	}
	return errors.Join(errs...)
}

// Next fills step with the next optimizer step; see [StepSource].
func (s *Stream) Next(step *Step) error {
	for {
		full, err := s.gather(step)
		if err != nil {
			return err
		}
		if full || !s.opts.Batch.DropShort {
			break
		}
	}
	s.order = s.order[:0]
	for i := range s.set.Len() {
		s.order = append(s.order, int32(i))
	}
	s.filler.fill(step, &s.set, s.order, &s.opts.Batch)
	return nil
}

// gather collects the examples of a step; full says that its budget ended it, not
// the epoch.
func (s *Stream) gather(step *Step) (full bool, err error) {
	s.set.reset()
	o := &s.opts.Batch
	began, tokens := s.epoch(), 0
	first := -1 // epoch of the first row
	for {
		e, err := s.queue.peek()
		if errors.Is(err, io.EOF) && s.set.Len() > 0 {
			return false, nil
		}
		if s.report.Kept == 0 && (errors.Is(err, io.EOF) && s.report.Rows > 0 || s.epoch() > began+1) {
			return false, fmt.Errorf("%w: %v", ErrNoTargets, s.report)
		}
		if err == nil {
			err = e.err
		}
		if err != nil {
			return false, err
		}
		if first < 0 {
			first = e.row.epoch
		}
		if len(s.parts) == 1 && e.row.epoch != first && s.set.Len() > 0 {
			return false, nil
		}
		if n := len(e.example.IDs); e.ok && s.set.Len() > 0 && o.ExamplesPerStep == 0 && tokens+n > o.TokensPerStep {
			return true, nil
		}
		if err := s.take(e, step); err != nil {
			return false, err
		}
		tokens += len(e.example.IDs)
		if full := o.ExamplesPerStep > 0 && s.set.Len() == o.ExamplesPerStep || o.ExamplesPerStep == 0 && tokens >= o.TokensPerStep; full {
			return true, nil
		}
	}
}

// take moves over a row and adds its example, if it became one.
func (s *Stream) take(e *entry, step *Step) error {
	s.queue.next++
	s.cursor.Position++
	s.cursor.Parts[e.part] = e.row.after
	s.report.add(&e.report)
	s.queue.shares[e.part] = e.row.share
	step.Epoch = slices.Min(s.queue.shares)
	if !e.ok {
		return nil
	}
	if n := len(e.example.IDs); n > s.opts.Batch.TokensPerMicro {
		return fmt.Errorf("data: %v: got an example of %d tokens, want at most %d (BatchOptions.TokensPerMicro)", e.row.at, n, s.opts.Batch.TokensPerMicro)
	}
	return s.set.Append(e.example)
}
