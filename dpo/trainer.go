package dpo

import (
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// Trainer trains a policy on pairs. Its methods are those of train.Trainer: Steps
// iterates over optimizer steps, Train runs to the end.
type Trainer struct {
	*train.Trainer
	stage *stage
}

// New prepares training of a policy on the pairs of src. It gives the policy's
// parameters gradient accumulators, settles the reference (which may compute
// log-probabilities of all pairs, see Reference) and compiles the loss. It fails
// with ErrMemory, before anything large is allocated, when the plan exceeds
// o.MemoryLimit. With loop.Resume the pairs must be those the run began with
// (ErrDataChanged), the policy must be as it was at its start, and src must have
// a cursor, as Batcher has.
//
// In the first step the trainer asserts that policy and reference agree where
// they are the same by construction, and that the loss is there what it declares
// (ErrReference).
func New(p Policy, src StepSource, o Options, loop train.Options) (*Trainer, error) {
	if err := errors.Join(o.Validate(), loop.Validate()); err != nil {
		return nil, err
	}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if src == nil {
		return nil, errors.New("dpo: got no source of batches, want one")
	}
	o = o.withDefaults(src)
	if err := o.checkSources(src); err != nil {
		return nil, err
	}
	if err := fits(p, o); err != nil {
		return nil, err
	}
	return build(p, src, o, loop)
}

// checkSources refuses evaluations that would never end or disturb training.
func (o Options) checkSources(src StepSource) error {
	if err := selects(o.Loss, src); err != nil {
		return fmt.Errorf("%w: %w", ErrOptions, err)
	}
	if o.EvalData != nil {
		if err := selects(o.Loss, o.EvalData); err != nil {
			return fmt.Errorf("%w: dpo: EvalData: %w", ErrOptions, err)
		}
	}
	b, ok := o.EvalData.(*Batcher)
	if !ok {
		return nil
	}
	if b == src {
		return fmt.Errorf("%w: dpo: EvalData: got the source that is trained on, want one of its own", ErrOptions)
	}
	if b.Options().Epochs == 0 {
		return fmt.Errorf("%w: dpo: EvalData: got a source that never ends, want BatchOptions{Epochs: 1}", ErrOptions)
	}
	return nil
}

// build allocates and compiles; o is complete.
func build(p Policy, src StepSource, o Options, loop train.Options) (tr *Trainer, err error) {
	s := &stage{policy: p, opts: o, src: src, params: p.Params(), arena: &tensor.Arena{}, perMicro: loop.Denominator == train.PerMicroBatch}
	if err = p.MakeTrainable(); err != nil {
		return nil, err
	}
	for _, q := range s.params {
		s.list = append(s.list, q)
	}
	if s.prog, err = compile(p, o, o.size(), s.params, s.arena); err != nil {
		return nil, err
	}
	if s.reference, err = o.frozen(p); err != nil {
		return nil, err
	}
	// A trainer that cannot be made leaves the model as it was.
	defer func() {
		if err != nil {
			s.reference.Release()
		}
	}()
	if s.follower, err = newFollower(o.Reference, s.reference, p); err != nil {
		return nil, err
	}
	if s.scorer, err = newScorer(s.reference, o, s.arena, src); err != nil {
		return nil, err
	}
	if loop.Device == nil {
		loop.Device = o.Device
	}
	if loop.Evaluator, err = newEvaluator(s, s.arena, loop.Evaluator); err != nil {
		return nil, err
	}
	t, err := train.New(s, loop)
	if err != nil {
		return nil, err
	}
	return &Trainer{t, s}, nil
}

// Model is the model that is trained.
func (t *Trainer) Model() model.Model { return t.stage.policy.Model }

// Parameters lists what is trained; the gradients are those of the last step,
// before clipping.
func (t *Trainer) Parameters() []train.Parameter { return t.stage.list }

// Memory is what training takes; its arena is the one that was allocated.
func (t *Trainer) Memory() (Memory, error) {
	m, err := PlanMemory(t.stage.policy, t.stage.opts)
	m.Arena = int64(t.stage.arena.Bytes())
	return m, err
}

// Timings says where the time of training steps went; Options.Debug.Timing asks for
// it.
func (t *Trainer) Timings() []tensor.Timing { return t.stage.prog.run.Timings() }

// Reference is what the policy is compared with; its Model is nil for losses
// without a reference. Without an adapter and with Reference.Cached only its
// log-probabilities of the pairs are kept, and the model it names is the one that is
// trained.
func (t *Trainer) Reference() *Frozen { return t.stage.reference }
