package data

import (
	"errors"
	"fmt"
)

// Batcher walks over a [Dataset], epoch after epoch, each in an order of its
// own that depends on the seed alone ([Permutation]), and forms optimizer steps.
// Inside a step it packs the examples best-fit into micro-batches (see
// [Packer]), so that TokensPerMicro and MaxSegments change the work's layout but
// never which examples a step holds. A step never spans two epochs.
//
// It implements [StepSource] and is not safe for concurrent use.
type Batcher struct {
	set  *Dataset
	opts BatchOptions
	walk *Walk

	filler      filler
	fingerprint string // made on first use
}

// NewBatcher returns a Batcher at the start of the first epoch. It refuses
// datasets that are empty, and those with examples that do not fit a micro-batch
// or have no target.
func NewBatcher(set *Dataset, opts BatchOptions) (*Batcher, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	if set == nil || set.Len() == 0 {
		return nil, errors.New("data: NewBatcher: got an empty dataset, want at least one example")
	}
	longest := 0
	for i := range set.Len() {
		longest = max(longest, set.Length(i))
	}
	opts = opts.withDefaults(longest)
	if err := fits(set, opts); err != nil {
		return nil, err
	}
	walk := NewWalk(set.Len(), WalkOptions{Seed: opts.Seed, Epochs: opts.Epochs, Sequential: opts.Sequential})
	return &Batcher{set: set, opts: opts, walk: walk}, nil
}

// fits checks the dataset against complete options.
func fits(set *Dataset, opts BatchOptions) error {
	var errs []error
	for i := range set.Len() {
		e := set.Example(i)
		if len(e.IDs) > opts.TokensPerMicro {
			errs = append(errs, fmt.Errorf("data: %v: got an example of %d tokens, want at most %d (BatchOptions.TokensPerMicro)", e.At, len(e.IDs), opts.TokensPerMicro))
		}
		if e.Targets() == 0 {
			errs = append(errs, fmt.Errorf("data: %v: got an example of %d tokens and no target, want at least one: %w", e.At, len(e.IDs), ErrNoTargets))
		}
		if len(errs) == maxFaults {
			break
		}
	}
	if opts.DropShort && (set.Tokens() < opts.TokensPerStep || set.Len() < opts.ExamplesPerStep) {
		errs = append(errs, fmt.Errorf("data: BatchOptions.DropShort: got %d examples of %d tokens in all, want enough for one step of %d",
			set.Len(), set.Tokens(), max(opts.TokensPerStep, opts.ExamplesPerStep)))
	}
	return errors.Join(errs...)
}

// maxFaults bounds the examples that one error lists.
const maxFaults = 10

// Options returns the options with all defaults filled in.
func (b *Batcher) Options() BatchOptions { return b.opts }

// Cursor returns the place before the next step.
func (b *Batcher) Cursor() Cursor { return b.walk.Cursor() }

// Fingerprint identifies what the batcher yields: the dataset and the options
// that decide on the order and the layout of steps. A cursor fits every batcher
// with the same one. It is made once, so the dataset must not grow afterwards.
func (b *Batcher) Fingerprint() string {
	if b.fingerprint == "" {
		o := &b.opts
		b.fingerprint = fmt.Sprintf("examples %s (%d) in steps of %d tokens or %d examples, micro-batches of %d tokens and %d segments, seed %d, sequential %t, drop short %t",
			b.set.Fingerprint(), b.set.Len(), o.TokensPerStep, o.ExamplesPerStep, o.TokensPerMicro, o.MaxSegments, o.Seed, o.Sequential, o.DropShort)
	}
	return b.fingerprint
}

// Seek moves to a cursor that Cursor returned, of this Batcher or of one with
// the same dataset and options: it goes on as that one would have.
func (b *Batcher) Seek(c Cursor) error { return b.walk.Seek(c) }

// Steps returns the number of steps in the first epochs epochs, or in all there
// are. Their number can differ between epochs, as other examples come together.
func (b *Batcher) Steps(epochs int) int {
	return b.walk.Steps(epochs, func(rest []int32) int {
		n, full := b.span(rest)
		if !full && b.opts.DropShort {
			return 0
		}
		return n
	})
}

// Next fills step with the next optimizer step; see [StepSource].
func (b *Batcher) Next(step *Step) error {
	for {
		rest, err := b.walk.Rest()
		if err != nil {
			return err
		}
		n, full := b.span(rest)
		step.Epoch = b.walk.Advance(n)
		if full || !b.opts.DropShort {
			b.fill(step, rest[:n])
			return nil
		}
	}
}

// span returns how many of the examples left in an epoch make a step, and whether
// the step is full: ended by its budget, not by the epoch.
func (b *Batcher) span(rest []int32) (n int, full bool) {
	step := Stride{Items: b.opts.ExamplesPerStep, Tokens: b.opts.TokensPerStep}
	return step.Span(rest, func(i int32) int { return b.set.Length(int(i)) })
}

// fill packs the examples into the step's micro-batches.
func (b *Batcher) fill(step *Step, examples []int32) {
	b.filler.fill(step, b.set, examples, &b.opts)
}
