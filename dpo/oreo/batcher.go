package oreo

import (
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/policy"
)

// BatchOptions steer NewBatcher. The zero value is endless, shuffled, 8
// trajectories a step.
type BatchOptions struct {
	// PerStep is the number of trajectories of an optimizer step; 0 means 8.
	PerStep int
	// TokensPerMicro is the capacity of a micro-batch; the longest trajectory must
	// fit. 0 means 2048 or the longest trajectory, whichever is more.
	TokensPerMicro int
	// Seed chooses the order; each epoch has its own.
	Seed uint64
	// Epochs ends the batcher after so many walks; 0 means never.
	Epochs int
	// Sequential keeps the order in every epoch.
	Sequential bool
}

// Validate reports every field that makes no sense.
func (o BatchOptions) Validate() error {
	return policy.BatchSizes{Package: "oreo", Items: "PerStep", Stride: data.Stride{Items: o.PerStep}, TokensPerMicro: o.TokensPerMicro, Epochs: o.Epochs}.Validate()
}

// Batcher walks over trajectories and packs each optimizer step into micro-batches.
// It is not safe for concurrent use.
type Batcher struct {
	list   []Trajectory
	opts   BatchOptions
	walk   *data.Walk
	packer data.Packer
	print  string
}

// NewBatcher returns a Batcher at the start of the first epoch. It refuses
// trajectories without prompt or answer, and those longer than a micro-batch.
func NewBatcher(list []Trajectory, o BatchOptions) (*Batcher, error) {
	if err := errors.Join(o.Validate(), checkAll(list)); err != nil {
		return nil, err
	}
	if o.PerStep == 0 {
		o.PerStep = 8
	}
	longest := 0
	for i := range list {
		longest = max(longest, list[i].Len())
	}
	if o.TokensPerMicro == 0 {
		o.TokensPerMicro = max(2048, longest)
	}
	if longest > o.TokensPerMicro {
		return nil, fmt.Errorf("oreo: got a trajectory of %d tokens, want at most %d (BatchOptions.TokensPerMicro)", longest, o.TokensPerMicro)
	}
	walk := data.NewWalk(len(list), data.WalkOptions{Seed: o.Seed, Epochs: o.Epochs, Sequential: o.Sequential})
	return &Batcher{list: list, opts: o, walk: walk}, nil
}

// Steps returns the number of steps in the first epochs epochs, or in all there
// are.
func (b *Batcher) Steps(epochs int) int { return b.walk.Steps(epochs, b.span) }

func (b *Batcher) span(rest []int32) int { return min(b.opts.PerStep, len(rest)) }

// Fingerprint identifies what the batcher yields.
func (b *Batcher) Fingerprint() string {
	if b.print == "" {
		o := b.opts
		b.print = fmt.Sprintf("trajectories %s (%d) in steps of %d, micro-batches of %d tokens, seed %d, sequential %t", Fingerprint(b.list), len(b.list), o.PerStep, o.TokensPerMicro, o.Seed, o.Sequential)
	}
	return b.print
}

// step is the micro-batches of one optimizer step.
type step struct {
	micro []data.Packed
	epoch float64
}

// next fills s with the next step; io.EOF ends it.
func (b *Batcher) next(s *step) error {
	list, epoch, err := b.walk.Take(b.span)
	if err != nil {
		return err
	}
	bins, n := b.packer.PackFunc(len(list), func(k int) int { return b.list[list[k]].Len() }, b.opts.TokensPerMicro, 0)
	s.epoch, s.micro = epoch, policy.Resize(s.micro, n)
	for k, i := range list {
		policy.AppendText(&s.micro[bins[k]], b.list[i].Prompt, b.list[i].Answer, i)
	}
	return nil
}
