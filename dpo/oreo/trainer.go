package oreo

import (
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// Trainer trains a policy and a value on trajectories. Its methods are those of
// train.Trainer: Steps iterates over optimizer steps, Train runs to the end.
type Trainer struct {
	*train.Trainer
	stage *stage
}

// New prepares training on the trajectories of src. It gives what is trained
// gradient accumulators, settles the reference and compiles the objective. A policy
// without an adapter needs Options.Reference.Model. With loop.Resume the
// trajectories must be those the run began with (dpo.ErrDataChanged), and policy and
// value as they were at its start. In the first step the trainer asserts that policy
// and reference agree where they are the same (dpo.ErrReference).
//
// The learning rate of the value is that of the policy, unless the options of the
// loop give its parameters, whose names begin with "v_head" or contain the name of
// the critic's adapter, one of their own; the paper's is 20 times the policy's.
func New(p dpo.Policy, src *Batcher, o Options, loop train.Options) (*Trainer, error) {
	if err := errors.Join(o.Validate(), loop.Validate(), p.Validate()); err != nil {
		return nil, err
	}
	if src == nil {
		return nil, errors.New("oreo: got no source of batches, want one")
	}
	if p.Adapter == nil && o.Reference.Model == nil {
		return nil, fmt.Errorf("%w: oreo: Reference: got none for a policy without an adapter, want Reference.Model", dpo.ErrOptions)
	}
	s := &stage{policy: p, opts: o.withDefaults(), src: src}
	if err := s.settle(); err != nil {
		return nil, err
	}
	t, err := s.build(loop)
	if err != nil {
		s.reference.Release()
		return nil, err
	}
	return t, nil
}

// settle finds the value, what is trained, and the reference.
func (s *stage) settle() (err error) {
	if s.opts.Head == nil {
		if s.opts.Head, err = model.NewHead(s.policy.Model, model.Value, nil, 0); err != nil {
			return err
		}
	}
	for _, q := range s.opts.Head.Params() {
		s.worth = append(s.worth, q)
	}
	if c := s.opts.Critic; c.Model != nil {
		if err := c.Validate(); err != nil {
			return fmt.Errorf("oreo: Critic: %w", err)
		}
		if c.Model != s.policy.Model || c.Adapter == nil {
			return fmt.Errorf("%w: oreo: Critic: got another model, want another adapter of the policy's: equal names cannot stand in one graph", dpo.ErrOptions)
		}
		s.worth = append(s.worth, c.Params()...)
	}
	seen := map[*tensor.Param]bool{}
	s.params = append(s.policy.Params(), s.worth...)
	for _, q := range s.params {
		if seen[q] {
			return fmt.Errorf("%w: oreo: Critic: got the policy's own weight %s, want another adapter or model", dpo.ErrOptions, q.Name())
		}
		seen[q] = true
		if err := q.SetTrainable(true); err != nil {
			return err
		}
		s.list = append(s.list, q)
	}
	s.reference, err = s.opts.Reference.Resolve(s.policy)
	if err == nil && s.foreign() && *s.opts.Regularisation > 0 {
		err = fmt.Errorf("%w: oreo: Regularisation: got %g with a reference that is another model, of which only log-probabilities are known, want 0 or an adapter of the policy's model as reference", dpo.ErrOptions, *s.opts.Regularisation)
	}
	return err
}

// build compiles and makes the loop.
func (s *stage) build(loop train.Options) (*Trainer, error) {
	var err error
	arena := &tensor.Arena{}
	if s.prog, err = compile(s, arena); err != nil {
		return nil, err
	}
	if s.foreign() {
		o := tensor.CompileOptions{Device: s.opts.Device, Debug: s.opts.Debug, Arena: arena}
		n := s.src.opts.TokensPerMicro
		size := policy.Size{Tokens: n, Segments: min(s.src.opts.PerStep, len(s.src.list)), Targets: n}
		if s.live, err = policy.NewLive(s.reference.Model, s.reference.Adapter, size, o); err != nil {
			return nil, err
		}
	}
	if loop.Device == nil {
		loop.Device = s.opts.Device
	}
	t, err := train.New(s, loop)
	if err != nil {
		return nil, err
	}
	return &Trainer{t, s}, nil
}

// Head is the value head that is trained.
func (t *Trainer) Head() *model.Head { return t.stage.opts.Head }

// Parameters lists what is trained: the policy, then the value.
func (t *Trainer) Parameters() []train.Parameter { return t.stage.list }
