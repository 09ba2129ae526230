package dpo

import (
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/policy"
)

// BatchOptions steer NewBatcher. The zero value is endless, shuffled, 8 pairs a
// step, and shares prompts.
type BatchOptions struct {
	// PairsPerStep is the number of pairs of an optimizer step; 0 means 8, TRL's.
	PairsPerStep int
	// TokensPerStep, in place of PairsPerStep, bounds the tokens of a step, prompts
	// counted once an answer; at least one pair is taken.
	TokensPerStep int
	// TokensPerMicro is the capacity of a micro-batch; the longest pair must fit.
	// 0 means 2048 or the longest pair, whichever is more.
	TokensPerMicro int
	// Separate computes the prompt of a pair twice, once before each answer. By
	// default it is computed once and shared; results are the same up to rounding.
	Separate bool
	// Seed chooses the order of the pairs; each epoch has its own.
	Seed uint64
	// Epochs ends the batcher after so many walks over the pairs; 0 means never.
	Epochs int
	// Sequential keeps the order of the pairs in every epoch.
	Sequential bool
}

// Validate reports every field that makes no sense.
func (o BatchOptions) Validate() error {
	return policy.BatchSizes{Package: "dpo", Items: "PairsPerStep", Stride: o.stride(), TokensPerMicro: o.TokensPerMicro, Epochs: o.Epochs}.Validate()
}

// size is the tokens a pair takes in a micro-batch.
func (o BatchOptions) size(p Pair) int {
	if o.Separate {
		return p.Len()
	}
	return p.Len() - len(p.Prompt)
}

// stride is the size of a step.
func (o BatchOptions) stride() data.Stride {
	return data.Stride{Items: o.PairsPerStep, Tokens: o.TokensPerStep}
}

// Batcher walks over pairs, epoch after epoch, each in an order of its own that
// depends on the seed alone, and packs each optimizer step best-fit into
// micro-batches: TokensPerMicro and Separate change the work's layout, never which
// pairs a step holds. A step never spans two epochs. It implements StepSource and
// is not safe for concurrent use.
type Batcher struct {
	pairs []Pair
	opts  BatchOptions
	walk  *data.Walk

	packer      data.Packer
	most        int // pairs in the fullest micro-batch there can be
	fingerprint string
}

// NewBatcher returns a Batcher at the start of the first epoch. It refuses pairs
// without a prompt or without any answer, and those longer than a micro-batch.
func NewBatcher(pairs []Pair, o BatchOptions) (*Batcher, error) {
	if err := errors.Join(o.Validate(), checkPairs(pairs)); err != nil {
		return nil, err
	}
	if o.PairsPerStep == 0 && o.TokensPerStep == 0 {
		o.PairsPerStep = 8
	}
	longest, shortest := 0, o.size(pairs[0])
	for _, p := range pairs {
		longest, shortest = max(longest, o.size(p)), min(shortest, o.size(p))
	}
	if o.TokensPerMicro == 0 {
		o.TokensPerMicro = max(2048, longest)
	}
	err := policy.CheckAll(pairs, func(p Pair) error { return policy.CheckFit("dpo", "a pair", p.At, o.size(p), o.TokensPerMicro) })
	most := min(len(pairs), o.TokensPerMicro/max(1, shortest))
	if o.PairsPerStep > 0 {
		most = min(most, o.PairsPerStep)
	}
	walk := data.NewWalk(len(pairs), data.WalkOptions{Seed: o.Seed, Epochs: o.Epochs, Sequential: o.Sequential})
	return &Batcher{pairs: pairs, opts: o, walk: walk, most: most}, err
}

// Pairs lists the pairs; do not write.
func (b *Batcher) Pairs() []Pair { return b.pairs }

// Options returns the options with all defaults filled in.
func (b *Batcher) Options() BatchOptions { return b.opts }

// MaxPairs is the largest number of pairs a micro-batch can have.
func (b *Batcher) MaxPairs() int { return max(1, b.most) }

// Cursor returns the place before the next step.
func (b *Batcher) Cursor() data.Cursor { return b.walk.Cursor() }

// Fingerprint identifies what the batcher yields: a cursor fits every batcher with
// the same one.
func (b *Batcher) Fingerprint() string {
	if b.fingerprint == "" {
		o := &b.opts
		b.fingerprint = fmt.Sprintf("pairs %s (%d) in steps of %d pairs or %d tokens, micro-batches of %d tokens, separate %t, seed %d, sequential %t",
			Fingerprint(b.pairs), len(b.pairs), o.PairsPerStep, o.TokensPerStep, o.TokensPerMicro, o.Separate, o.Seed, o.Sequential)
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

// span returns how many of the pairs left in an epoch make a step.
func (b *Batcher) span(rest []int32) int {
	n, _ := b.opts.stride().Span(rest, func(i int32) int { return b.pairs[i].Len() })
	return n
}

// fill packs the pairs into the step's micro-batches.
func (b *Batcher) fill(step *Step, list []int32) {
	bins, n := b.packer.PackFunc(len(list), func(k int) int { return b.opts.size(b.pairs[list[k]]) }, b.opts.TokensPerMicro, 0)
	step.Reset(n)
	for k, i := range list {
		if b.opts.Separate {
			step.Micro[bins[k]].Add(b.pairs[i], i)
		} else {
			step.Micro[bins[k]].AddShared(b.pairs[i], i)
		}
	}
}

// Reset makes n empty micro-batches and keeps the memory of all there were.
func (s *Step) Reset(n int) { s.Micro = policy.Resize(s.Micro, n) }
