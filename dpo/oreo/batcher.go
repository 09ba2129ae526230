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
	var faults []error
	for _, f := range []struct {
		name string
		got  int
	}{{"PerStep", o.PerStep}, {"TokensPerMicro", o.TokensPerMicro}, {"Epochs", o.Epochs}} {
		if f.got < 0 {
			faults = append(faults, fmt.Errorf("oreo: BatchOptions.%s: got %d, want 0 (default) or more", f.name, f.got))
		}
	}
	return errors.Join(faults...)
}

// Batcher walks over trajectories and packs each optimizer step into micro-batches.
// It is not safe for concurrent use.
type Batcher struct {
	list    []Trajectory
	opts    BatchOptions
	walk    *data.Walk
	packer  data.Packer
	lengths []int
	print   string
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
	rest, err := b.walk.Rest()
	if err != nil {
		return err
	}
	list := rest[:b.span(rest)]
	b.lengths = b.lengths[:0]
	for _, i := range list {
		b.lengths = append(b.lengths, b.list[i].Len())
	}
	bins, n := b.packer.Pack(b.lengths, b.opts.TokensPerMicro, 0)
	for len(s.micro) < n {
		s.micro = append(s.micro, data.Packed{})
	}
	s.micro = s.micro[:n]
	for i := range s.micro {
		s.micro[i].Reset()
	}
	for k, i := range list {
		policy.AppendText(&s.micro[bins[k]], b.list[i].Prompt, b.list[i].Answer, i)
	}
	s.epoch = b.walk.Advance(len(list))
	return nil
}
