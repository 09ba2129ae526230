package reward

import (
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/policy"
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
	return policy.BatchSizes{Package: "reward", Items: "GroupsPerStep", Stride: o.stride(), TokensPerMicro: o.TokensPerMicro, Epochs: o.Epochs}.Validate()
}

// size is the tokens a group takes in a micro-batch.
func (o BatchOptions) size(g Group) int {
	if o.Separate {
		return g.Len()
	}
	return g.Len() - len(g.Prompt)*(len(g.Answers)-1)
}

// stride is the size of a step.
func (o BatchOptions) stride() data.Stride {
	return data.Stride{Items: o.GroupsPerStep, Tokens: o.TokensPerStep}
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
	err := policy.CheckAll(groups, func(g Group) error { return policy.CheckFit("reward", "a group", g.At, o.size(g), o.TokensPerMicro) })
	walk := data.NewWalk(len(groups), data.WalkOptions{Seed: o.Seed, Epochs: o.Epochs, Sequential: o.Sequential})
	return &Batcher{groups: groups, opts: o, walk: walk, capacity: o.capacity(groups)}, err
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
	list, epoch, err := b.walk.Take(b.span)
	if err != nil {
		return err
	}
	step.Epoch = epoch
	b.fill(step, list)
	return nil
}

// span returns how many of the groups that are left in an epoch make a step.
func (b *Batcher) span(rest []int32) int {
	n, _ := b.opts.stride().Span(rest, func(i int32) int { return b.groups[i].Len() })
	return n
}

// fill packs the groups into the step's micro-batches.
func (b *Batcher) fill(step *Step, list []int32) {
	bins, n := b.packer.PackFunc(len(list), func(k int) int { return b.opts.size(b.groups[list[k]]) }, b.opts.TokensPerMicro, 0)
	step.resize(n)
	for k, i := range list {
		if b.opts.Separate {
			step.Micro[bins[k]].Add(b.groups[i], b.opts.ScoreAt, i)
		} else {
			step.Micro[bins[k]].AddShared(b.groups[i], b.opts.ScoreAt, i)
		}
	}
}
