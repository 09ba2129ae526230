package reward

import (
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/data"
)

// BatchOptions steer NewBatcher. The zero value is endless, shuffled, 8 groups a
// step, and shares prompts.
type BatchOptions struct {
	// GroupsPerStep is the number of groups of an optimizer step; 0 means 8, TRL's.
	GroupsPerStep int
	// TokensPerStep, in place of GroupsPerStep, bounds the tokens of a step, prompts
	// counted once an answer; at least one group is taken.
	TokensPerStep int
	// TokensPerMicro is the capacity of a micro-batch; the longest group must fit.
	// 0 means 2048 or the longest pair, whichever is more.
	TokensPerMicro int
	// ScoreAt says which tokens get a score, as the loss wants it (Traits.ScoreAt).
	ScoreAt ScoreAt
	// Separate computes the prompt of a group once before each answer. By default it
	// is computed once and shared; results are the same up to rounding.
	Separate bool
	// Seed chooses the order of the groups; each epoch has its own.
	Seed uint64
	// Epochs ends the batcher after so many walks over the groups; 0 means never.
	Epochs int
	// Sequential keeps the order of the groups in every epoch.
	Sequential bool
}

// Validate reports every field that makes no sense.
func (o BatchOptions) Validate() error {
	var faults []error
	for _, f := range []struct {
		name string
		got  int
	}{{"GroupsPerStep", o.GroupsPerStep}, {"TokensPerStep", o.TokensPerStep}, {"TokensPerMicro", o.TokensPerMicro}, {"Epochs", o.Epochs}} {
		if f.got < 0 {
			faults = append(faults, fmt.Errorf("reward: BatchOptions.%s: got %d, want 0 (default) or more", f.name, f.got))
		}
	}
	if o.TokensPerStep > 0 && o.GroupsPerStep > 0 {
		faults = append(faults, fmt.Errorf("reward: BatchOptions: got TokensPerStep %d and GroupsPerStep %d, want one of them", o.TokensPerStep, o.GroupsPerStep))
	}
	return errors.Join(faults...)
}

// size is the tokens a group takes in a micro-batch.
func (o BatchOptions) size(g Group) int {
	if o.Separate {
		return g.Len()
	}
	return g.Len() - len(g.Prompt)*(len(g.Answers)-1)
}

// Batcher walks over groups, epoch after epoch, each in an order of its own that
// depends on the seed alone, and packs each optimizer step best-fit into
// micro-batches: TokensPerMicro and Separate change the work's layout, never which
// groups a step holds. A step never spans two epochs. It implements StepSource and
// is not safe for concurrent use.
type Batcher struct {
	groups []Group
	opts   BatchOptions
	walk   *data.Walk

	packer      data.Packer
	lengths     []int
	capacity    Capacity
	fingerprint string
}

// NewBatcher returns a Batcher at the start of the first epoch. It refuses groups
// without answers or with empty ones, and those longer than a micro-batch.
func NewBatcher(groups []Group, o BatchOptions) (*Batcher, error) {
	if err := errors.Join(o.Validate(), checkGroups(groups, o.ScoreAt)); err != nil {
		return nil, err
	}
	if o.GroupsPerStep == 0 && o.TokensPerStep == 0 {
		o.GroupsPerStep = 8
	}
	longest := 0
	for _, g := range groups {
		longest = max(longest, o.size(g))
	}
	if o.TokensPerMicro == 0 {
		o.TokensPerMicro = max(2048, longest)
	}
	var faults []error
	for _, g := range groups {
		if n := o.size(g); n > o.TokensPerMicro && len(faults) < maxFaults {
			faults = append(faults, fmt.Errorf("reward: %v: got a group of %d tokens, want at most %d (BatchOptions.TokensPerMicro)", g.At, n, o.TokensPerMicro))
		}
	}
	return &Batcher{groups: groups, opts: o, walk: data.NewWalk(len(groups), data.WalkOptions{Seed: o.Seed, Epochs: o.Epochs, Sequential: o.Sequential}), capacity: o.capacity(groups)}, errors.Join(faults...)
}

// Groups lists the groups; do not write.
func (b *Batcher) Groups() []Group { return b.groups }

// Options returns the options with all defaults filled in.
func (b *Batcher) Options() BatchOptions { return b.opts }

// Capacity is how large its micro-batches can be.
func (b *Batcher) Capacity() Capacity { return b.capacity }

// capacity is the largest micro-batch that can be made of groups.
func (o BatchOptions) capacity(groups []Group) Capacity {
	var most Capacity // of any one group
	fewest := o.TokensPerMicro
	for _, g := range groups {
		fewest = max(1, min(fewest, o.size(g)))
		most.grow(Capacity{Segments: 1 + len(g.Answers), Groups: 1, Answers: len(g.Answers), Comparisons: g.comparisons(), Rows: g.rows(o.ScoreAt)})
	}
	n := min(len(groups), o.TokensPerMicro/fewest)
	if o.GroupsPerStep > 0 {
		n = min(n, o.GroupsPerStep)
	}
	n = max(1, n)
	// Every answer and scored token takes a token, which bounds them, too.
	return Capacity{
		Tokens: o.TokensPerMicro, Segments: n * most.Segments, Groups: n, Answers: min(n*most.Answers, o.TokensPerMicro),
		Comparisons: max(1, n*most.Comparisons), Rows: min(n*most.Rows, o.TokensPerMicro),
	}
}

// Cursor returns the place before the next step.
func (b *Batcher) Cursor() data.Cursor { return b.walk.Cursor() }

// Fingerprint identifies what the batcher yields: a cursor fits every batcher with
// the same one.
func (b *Batcher) Fingerprint() string {
	if b.fingerprint == "" {
		o := &b.opts
		b.fingerprint = fmt.Sprintf("groups %s (%d) in steps of %d groups or %d tokens, micro-batches of %d tokens, separate %t, seed %d, sequential %t, scores at %v",
			Fingerprint(b.groups), len(b.groups), o.GroupsPerStep, o.TokensPerStep, o.TokensPerMicro, o.Separate, o.Seed, o.Sequential, o.ScoreAt)
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
	rest, err := b.walk.Rest()
	if err != nil {
		return err
	}
	n := b.span(rest)
	b.fill(step, rest[:n])
	step.Epoch = b.walk.Advance(n)
	return nil
}

// span returns how many of the groups that are left in an epoch make a step.
func (b *Batcher) span(rest []int32) int {
	if b.opts.GroupsPerStep > 0 {
		return min(b.opts.GroupsPerStep, len(rest))
	}
	n, tokens := 0, 0
	for n < len(rest) {
		length := b.groups[rest[n]].Len()
		if n > 0 && tokens+length > b.opts.TokensPerStep {
			break
		}
		tokens += length
		n++
	}
	return n
}

// fill packs the groups into the step's micro-batches.
func (b *Batcher) fill(step *Step, list []int32) {
	b.lengths = b.lengths[:0]
	for _, i := range list {
		b.lengths = append(b.lengths, b.opts.size(b.groups[i]))
	}
	bins, n := b.packer.Pack(b.lengths, b.opts.TokensPerMicro, 0)
	step.resize(n)
	for k, i := range list {
		if b.opts.Separate {
			step.Micro[bins[k]].Add(b.groups[i], b.opts.ScoreAt, i)
		} else {
			step.Micro[bins[k]].AddShared(b.groups[i], b.opts.ScoreAt, i)
		}
	}
}
