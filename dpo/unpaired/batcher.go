package unpaired

import (
	"errors"
	"fmt"
	"slices"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/policy"
)

// BatchOptions steer NewBatcher. The zero value is endless, shuffled, 16 rows a
// step.
type BatchOptions struct {
	// RowsPerStep is the number of rows of an optimizer step; 0 means 16.
	RowsPerStep int
	// TokensPerStep, in place of RowsPerStep, bounds the tokens of a step; at least
	// one row is taken.
	TokensPerStep int
	// TokensPerMicro is the capacity of a micro-batch; the longest row must fit. 0
	// means 2048 or the longest row, whichever is more.
	TokensPerMicro int
	// Seed chooses the order of the rows; each epoch has its own.
	Seed uint64
	// Epochs ends the batcher after so many walks over the rows; 0 means never.
	Epochs int
	// Sequential keeps the order of the rows in every epoch.
	Sequential bool
	// OneClass admits rows that are all desirable or all undesirable, which teach
	// by their distance from the reference alone.
	OneClass bool
}

// Validate reports every field that makes no sense.
func (o BatchOptions) Validate() error {
	return policy.BatchSizes{Package: "unpaired", Items: "RowsPerStep", Stride: o.stride(), TokensPerMicro: o.TokensPerMicro, Epochs: o.Epochs}.Validate()
}

// stride is the size of a step.
func (o BatchOptions) stride() data.Stride {
	return data.Stride{Items: o.RowsPerStep, Tokens: o.TokensPerStep}
}

// Batcher walks over rows, epoch after epoch, each in an order of its own that
// depends on the seed alone, and packs each optimizer step best-fit into
// micro-batches. A step never spans two epochs.
//
// It gives every row a mismatched text: its prompt with the completion of the
// nearest row before it in the step (going round) that has another prompt, or in
// the epoch where the step has none; only where all prompts are the same it is
// that of another row with the same one. Mismatched texts are cut to the length of
// the longest row. It implements StepSource and is not safe for concurrent use.
type Batcher struct {
	rows []Row
	opts BatchOptions
	walk *data.Walk

	packer      data.Packer
	partners    []int32
	longest     int
	most        int  // rows in the fullest micro-batch there can be
	onePrompt   bool // all prompts are the same
	fingerprint string
}

// NewBatcher returns a Batcher at the start of the first epoch. It refuses rows
// without prompt or completion, those longer than a micro-batch, and rows of one
// class (ErrOneClass) but with BatchOptions.OneClass.
func NewBatcher(rows []Row, o BatchOptions) (*Batcher, error) {
	if err := errors.Join(o.Validate(), checkRows(rows, o.OneClass)); err != nil {
		return nil, err
	}
	if o.RowsPerStep == 0 && o.TokensPerStep == 0 {
		o.RowsPerStep = 16
	}
	b := &Batcher{rows: rows, onePrompt: true}
	shortest := rows[0].Len()
	for _, r := range rows {
		b.longest, shortest = max(b.longest, r.Len()), min(shortest, r.Len())
		b.onePrompt = b.onePrompt && slices.Equal(r.Prompt, rows[0].Prompt)
	}
	if o.TokensPerMicro == 0 {
		o.TokensPerMicro = max(2048, b.longest)
	}
	err := policy.CheckAll(rows, func(r Row) error { return policy.CheckFit("unpaired", "a row", r.At, r.Len(), o.TokensPerMicro) })
	b.most = min(len(rows), o.TokensPerMicro/shortest)
	if o.RowsPerStep > 0 {
		b.most = min(b.most, o.RowsPerStep)
	}
	b.opts, b.walk = o, data.NewWalk(len(rows), data.WalkOptions{Seed: o.Seed, Epochs: o.Epochs, Sequential: o.Sequential})
	return b, err
}

// Rows lists the rows; do not write.
func (b *Batcher) Rows() []Row { return b.rows }

// Options returns the options with all defaults filled in.
func (b *Batcher) Options() BatchOptions { return b.opts }

// MaxRows is the largest number of rows a micro-batch can have.
func (b *Batcher) MaxRows() int { return max(1, b.most) }

// Cursor returns the place before the next step.
func (b *Batcher) Cursor() data.Cursor { return b.walk.Cursor() }

// Fingerprint identifies what the batcher yields: a cursor fits every batcher with
// the same one.
func (b *Batcher) Fingerprint() string {
	if b.fingerprint == "" {
		o := &b.opts
		b.fingerprint = fmt.Sprintf("rows %s (%d) in steps of %d rows or %d tokens, micro-batches of %d tokens, seed %d, sequential %t",
			Fingerprint(b.rows), len(b.rows), o.RowsPerStep, o.TokensPerStep, o.TokensPerMicro, o.Seed, o.Sequential)
	}
	return b.fingerprint
}

// Seek moves to a cursor that Cursor returned.
func (b *Batcher) Seek(c data.Cursor) error { return b.walk.Seek(c) }

// Steps returns the number of steps in the first epochs epochs, or in all there
// are.
func (b *Batcher) Steps(epochs int) int { return b.walk.Steps(epochs, b.span) }

// Next fills step with the next optimizer step; see StepSource.
func (b *Batcher) Next(step *Step) error {
	c := b.walk.Cursor()
	list, epoch, err := b.walk.Take(b.span)
	if err != nil {
		return err
	}
	step.Epoch = epoch
	b.pair(list, b.walk.Order(c.Epoch), c.Position)
	b.fill(step, list)
	return nil
}

// span returns how many of the rows left in an epoch make a step.
func (b *Batcher) span(rest []int32) int {
	n, _ := b.opts.stride().Span(rest, func(i int32) int { return b.rows[i].Len() })
	return n
}

// pair chooses for each row of a step, which begins at place at of the epoch's
// order, the row whose completion it is mismatched with.
func (b *Batcher) pair(step, order []int32, at int) {
	b.partners = b.partners[:0]
	for k := range step {
		partner, ok := b.before(step, k, len(step)-1, step[k])
		if !ok {
			partner, ok = b.before(order, at, len(order), step[k])
		}
		if !ok && len(step) > 1 {
			partner = step[(k+len(step)-1)%len(step)]
		} else if !ok {
			partner = order[(at+len(order)-1)%len(order)]
		}
		b.partners = append(b.partners, partner)
	}
}

// before is the nearest of the n rows before place k of list, going round, whose
// prompt is not that of row.
func (b *Batcher) before(list []int32, k, n int, row int32) (int32, bool) {
	if b.onePrompt {
		return 0, false
	}
	for d := 1; d <= n; d++ {
		j := list[(k+len(list)-d)%len(list)]
		if !slices.Equal(b.rows[j].Prompt, b.rows[row].Prompt) {
			return j, true
		}
	}
	return 0, false
}

// foreign is the completion row i is mismatched with, cut to fit.
func (b *Batcher) foreign(i, partner int32) []int32 {
	c := b.rows[partner].Completion
	return c[:min(len(c), b.longest-len(b.rows[i].Prompt))]
}

// fill packs the rows into the step's micro-batches.
func (b *Batcher) fill(step *Step, list []int32) {
	bins, n := b.packer.PackFunc(len(list), func(k int) int {
		r := &b.rows[list[k]]
		return max(r.Len(), len(r.Prompt)+len(b.foreign(list[k], b.partners[k])))
	}, b.opts.TokensPerMicro, 0)
	step.Micro = policy.Resize(step.Micro, n)
	for k, i := range list {
		m := &step.Micro[bins[k]]
		m.Add(b.rows[i], i)
		m.AddMismatched(b.rows[i].Prompt, b.foreign(i, b.partners[k]), i)
	}
}
