package unpaired

import (
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// Trainer trains a policy on labelled answers. Its methods are those of
// train.Trainer: Steps iterates over optimizer steps, Train runs to the end.
type Trainer struct {
	*train.Trainer
	stage *stage
}

// New prepares training of a policy on the rows of src. It gives the policy's
// parameters gradient accumulators, settles the reference and compiles the loss.
// It fails with dpo.ErrMemory, before anything large is allocated, when the plan
// exceeds o.MemoryLimit. With loop.Resume the rows must be those the run began
// with (ErrDataChanged), and the policy must be as it was at its start.
//
// In the first step the trainer asserts that policy and reference agree where they
// are the same by construction, that KTO's z is 0 there, and that the loss is what
// it declares (dpo.ErrReference).
func New(p dpo.Policy, src StepSource, o Options, loop train.Options) (*Trainer, error) {
	if err := errors.Join(o.Validate(), loop.Validate()); err != nil {
		return nil, err
	}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if src == nil {
		return nil, errors.New("unpaired: got no source of batches, want one")
	}
	if p.Adapter == nil && o.Reference.Model == nil {
		return nil, fmt.Errorf("%w: unpaired: Reference: got none for training all weights, want Reference.Model, a second instance of the model", ErrOptions)
	}
	o = o.withDefaults(src)
	if err := o.checkSources(src); err != nil {
		return nil, err
	}
	if o.MemoryLimit >= 0 {
		m, err := PlanMemory(p, o)
		if err = errors.Join(err, m.Fits(o.MemoryLimit)); err != nil {
			return nil, err
		}
	}
	return build(p, src, o, loop)
}

// PlanMemory says what training p with o would take, without allocating it. A
// Reference.Model of its own is not counted, and matrix products take up to 32 MiB
// beside it.
func PlanMemory(p dpo.Policy, o Options) (dpo.Memory, error) {
	if err := errors.Join(o.Validate(), p.Validate()); err != nil {
		return dpo.Memory{}, err
	}
	// Forward passes and evaluations share the arena and need less: they keep
	// nothing for a backward pass.
	pl, err := plan(p, o.withDefaults(nil))
	return p.Memory(int64(pl.Arena)), err
}

// checkSources refuses evaluations that would never end or disturb training, and
// density ratios of rows that know none.
func (o Options) checkSources(src StepSource) error {
	if b, ok := src.(*Batcher); ok {
		if l, ok := o.Loss.(BCO); ok && l.Density != nil {
			if err := haveLikeness(b.Rows()); err != nil {
				return err
			}
		}
	}
	b, ok := o.EvalData.(*Batcher)
	switch {
	case !ok:
		return nil
	case b == src:
		return fmt.Errorf("%w: unpaired: EvalData: got the source that is trained on, want one of its own", ErrOptions)
	case b.Options().Epochs == 0:
		return fmt.Errorf("%w: unpaired: EvalData: got a source that never ends, want BatchOptions{Epochs: 1}", ErrOptions)
	}
	return nil
}

// haveLikeness wants a Likeness in some undesirable row: all 0 means that nobody
// estimated any.
func haveLikeness(rows []Row) error {
	for _, r := range rows {
		if r.Likeness > 0 {
			return nil
		}
	}
	return fmt.Errorf("%w: unpaired: BCO.Density: got rows without Likeness, want it (see Likeness)", ErrOptions)
}

// build allocates and compiles; o is complete.
func build(p dpo.Policy, src StepSource, o Options, loop train.Options) (*Trainer, error) {
	s := &stage{policy: p, opts: o, src: src, arena: &tensor.Arena{}, perMicro: loop.Denominator == train.PerMicroBatch}
	if err := p.MakeTrainable(); err != nil {
		return nil, err
	}
	for _, q := range p.Params() {
		s.list = append(s.list, q)
	}
	var err error
	if s.prog, err = compile(p, o, p.Params(), s.arena); err != nil {
		return nil, err
	}
	if s.reference, err = o.Reference.Resolve(p); err != nil {
		return nil, err
	}
	t, err := s.finish(loop)
	if err != nil {
		s.reference.Release()
		return nil, err
	}
	return t, nil
}

// finish compiles what runs beside the loss.
func (s *stage) finish(loop train.Options) (t *Trainer, err error) {
	co := tensor.CompileOptions{Device: s.opts.Device, Debug: s.opts.Debug, Arena: s.arena}
	s.base = baseline{asks: s.opts.Loss.Traits(), beta: s.opts.beta()}
	if s.base.reference, err = policy.NewLive(s.reference.Model, s.reference.Adapter, s.opts.size(), co); err != nil {
		return nil, err
	}
	if s.base.policy, err = policy.NewLive(s.policy.Model, s.policy.AdapterName(), s.opts.size(), co); err != nil {
		return nil, err
	}
	if loop.Device == nil {
		loop.Device = s.opts.Device
	}
	if loop.Evaluator, err = newEvaluator(s, loop.Evaluator); err != nil {
		return nil, err
	}
	loopTrainer, err := train.New(s, loop)
	if err != nil {
		return nil, err
	}
	return &Trainer{loopTrainer, s}, nil
}

// Model is the model that is trained.
func (t *Trainer) Model() model.Model { return t.stage.policy.Model }

// Parameters lists what is trained; the gradients are those of the last step,
// before clipping.
func (t *Trainer) Parameters() []train.Parameter { return t.stage.list }

// Memory is what training takes; its arena is the one that was allocated.
func (t *Trainer) Memory() dpo.Memory { return t.stage.policy.Memory(int64(t.stage.arena.Bytes())) }
