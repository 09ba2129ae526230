package data

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Prepare tokenises all rows of a source as TRL's SFTTrainer does.
//
//   - text: the text, then EOS; every token is a target.
//   - prompt and completion: prompt+completion is tokenised as one text, EOS at
//     its end. The prompt is the longest common prefix of those ids and the ids
//     of the prompt alone; the rest is the target.
//   - messages: rendered by the template; every token is a target, or with
//     LossAssistant those with a byte in a generation span.
//   - prompt and completion as messages: the prompt is rendered with the
//     generation prompt, both together without; boundary as above.
//
// Rows that truncation leaves without a target token are dropped and counted;
// when no row is left the error wraps [ErrNoTargets]. Cancelling ctx ends the
// work between two rows.
func Prepare(ctx context.Context, rows Source[Row], enc Encoder, opts PrepareOptions) (*Dataset, Report, error) {
	p, err := NewPreparer(enc, opts)
	if err != nil {
		return nil, Report{}, err
	}
	set := &Dataset{}
	err = Each(ctx, rows, func(row Row) error {
		example, ok, err := p.Example(row)
		if err != nil || !ok {
			return err
		}
		return set.Append(example)
	})
	if err != nil {
		return nil, p.report, err
	}
	if set.Len() == 0 {
		return nil, p.report, fmt.Errorf("%w: %v", ErrNoTargets, p.report)
	}
	return set, p.report, nil
}

// Preparer makes examples of single rows. It is not safe for concurrent use.
type Preparer struct {
	enc     Encoder
	offsets OffsetEncoder // nil when enc has none
	opts    PrepareOptions
	report  Report

	prompt  []int32
	ranges  [][2]int
	example Example
}

// NewPreparer returns a Preparer for the encoder and options.
func NewPreparer(enc Encoder, opts PrepareOptions) (*Preparer, error) {
	if enc == nil {
		return nil, errors.New("data: Prepare: got no Encoder")
	}
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	if opts.MaxLength == 0 {
		opts.MaxLength = 1024
	}
	p := &Preparer{enc: enc, opts: opts}
	p.offsets, _ = enc.(OffsetEncoder)
	if opts.Loss == LossAssistant && p.offsets == nil {
		return nil, fmt.Errorf("data: LossAssistant: got an encoder without offsets (%T), want an OffsetEncoder", enc)
	}
	return p, nil
}

// Report returns the counts so far.
func (p *Preparer) Report() Report { return p.report }

// Example tokenises a row. It returns false when the row was dropped; the
// report says why. The example's slices are valid until the next call.
func (p *Preparer) Example(row Row) (Example, bool, error) {
	p.report.Rows++
	e := &p.example
	*e = Example{IDs: e.IDs[:0], Roles: e.Roles[:0], Mask: e.Mask[:0], At: row.At}
	if err := p.tokenize(row, e); err != nil {
		return Example{}, false, err
	}
	cut := p.truncate(e)
	if cut < 0 {
		count(&p.report.Long, &p.report.FirstLong, row.At)
		return Example{}, false, nil
	}
	targets := e.Targets()
	if targets == 0 {
		count(&p.report.Empty, &p.report.FirstEmpty, row.At)
		return Example{}, false, nil
	}
	if cut > 0 {
		p.report.Cut++
		p.report.CutTokens += int64(cut)
	}
	p.report.Kept++
	p.report.Tokens += int64(len(e.IDs))
	p.report.Targets += int64(targets)
	return *e, true, nil
}

// truncate applies MaxLength and returns how many tokens it took, or -1 for an
// example to drop.
func (p *Preparer) truncate(e *Example) int {
	cut := len(e.IDs) - p.opts.MaxLength
	if p.opts.MaxLength < 0 || cut <= 0 {
		return 0
	}
	lo, hi := 0, p.opts.MaxLength
	switch p.opts.Truncation {
	case DropLong:
		return -1
	case KeepEnd:
		lo, hi = cut, len(e.IDs)
	}
	n := copy(e.IDs, e.IDs[lo:hi])
	copy(e.Roles, e.Roles[lo:hi])
	copy(e.Mask, e.Mask[lo:hi])
	e.IDs, e.Roles, e.Mask = e.IDs[:n], e.Roles[:n], e.Mask[:n]
	e.Prompt = min(max(e.Prompt-lo, 0), n)
	return cut
}

// withEOS appends the end-of-sequence text unless it is there.
func (p *Preparer) withEOS(text string) string {
	if strings.HasSuffix(text, p.opts.EOS) {
		return text
	}
	return text + p.opts.EOS
}
