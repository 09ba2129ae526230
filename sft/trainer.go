package sft

import (
	"errors"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// Trainer fine-tunes a policy. Its methods are those of train.Trainer: Steps
// iterates over optimizer steps, Train runs to the end.
type Trainer struct {
	*train.Trainer
	stage *stage
}

// New prepares fine-tuning of a policy on the batches of src. It gives the
// policy's parameters gradient accumulators and compiles the loss. It fails with
// ErrMemory, before anything large is allocated, when the plan exceeds
// o.MemoryLimit. With loop.Resume the data must be those the run began with
// (ErrDataChanged), and src must have a cursor, as data.Batcher has.
func New(p Policy, src data.StepSource, o Options, loop train.Options) (*Trainer, error) {
	if err := errors.Join(o.Validate(), loop.Validate()); err != nil {
		return nil, err
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	if src == nil {
		return nil, errors.New("sft: got no source of batches, want one")
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

// build allocates and compiles; o is complete.
func build(p Policy, src data.StepSource, o Options, loop train.Options) (*Trainer, error) {
	s := &stage{policy: p, opts: o, src: src, params: p.params(), arena: &tensor.Arena{}}
	err := policy.MakeTrainable(s.params)
	if err != nil {
		return nil, err
	}
	for _, q := range s.params {
		s.list = append(s.list, q)
	}
	if s.prog, err = compile(p, o, o.shape(), s.params, s.arena); err != nil {
		return nil, err
	}
	if loop.Device == nil {
		loop.Device = o.Device
	}
	if loop.Evaluator, err = newEvaluator(p, o, s.arena, loop.Evaluator); err != nil {
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

// Timings says where the time of the training program went, by op, when
// Options.Debug.Timing is on.
func (t *Trainer) Timings() []tensor.Timing { return t.stage.prog.run.Timings() }
