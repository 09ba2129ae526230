package reward

import (
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// Trainer trains a reward model. Its methods are those of train.Trainer: Steps
// iterates over optimizer steps, Train runs to the end.
type Trainer struct {
	*train.Trainer
	stage     *stage
	evaluator *evaluator // nil without evaluation data
}

// New prepares training of a reward model on the groups of src. It gives the
// trained parameters gradient accumulators and compiles the loss. It fails with
// ErrMemory, before anything large is allocated, when the plan exceeds
// o.MemoryLimit. With loop.Resume the groups must be those the run began with
// (ErrDataChanged), and src must have a cursor, as Batcher has.
func New(n Net, src StepSource, o Options, loop train.Options) (*Trainer, error) {
	if err := errors.Join(o.Validate(), loop.Validate()); err != nil {
		return nil, err
	}
	if err := n.check(); err != nil {
		return nil, err
	}
	if src == nil {
		return nil, errors.New("reward: got no source of batches, want one")
	}
	o = o.withDefaults(src)
	if o.SumOfMeans && loop.Denominator != train.PerMicroBatch {
		return nil, fmt.Errorf("%w: reward: SumOfMeans: got the denominator %q, want train.PerMicroBatch", ErrTraining, loop.Denominator)
	}
	if err := o.checkSources(src); err != nil {
		return nil, err
	}
	if err := fits(n, o); err != nil {
		return nil, err
	}
	return build(n, src, o, loop)
}

// build allocates and compiles; o is complete.
func build(n Net, src StepSource, o Options, loop train.Options) (*Trainer, error) {
	s := &stage{net: n, opts: o, src: src, traits: o.Loss.Traits(), params: n.params(), arena: &tensor.Arena{}, alone: loop.Denominator == train.PerMicroBatch}
	s.seen = measurement{traits: s.traits, micro: o.MicroMeans}
	err := policy.MakeTrainable(s.params)
	if err != nil {
		return nil, err
	}
	for _, q := range s.params {
		s.list = append(s.list, q)
	}
	if s.prog, err = assemble(n, o, s.params, s.arena); err != nil {
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
	e, _ := loop.Evaluator.(*evaluator)
	return &Trainer{t, s, e}, nil
}

// Calibration is what the first and the last evaluation of this process on
// Options.EvalData found; ok is false before there was one.
func (t *Trainer) Calibration() (first, last Calibration, ok bool) {
	if t.evaluator == nil || t.evaluator.last.Judgements == 0 {
		return first, last, false
	}
	return t.evaluator.first, t.evaluator.last, true
}

// Net is the reward model that is trained.
func (t *Trainer) Net() Net { return t.stage.net }

// Parameters lists what is trained; the gradients are those of the last step,
// before clipping.
func (t *Trainer) Parameters() []train.Parameter { return t.stage.list }

// Memory is what training takes; its arena is the one that was allocated.
func (t *Trainer) Memory() (Memory, error) {
	m, err := PlanMemory(t.stage.net, t.stage.opts)
	m.Arena = int64(t.stage.arena.Bytes())
	return m, err
}

// Timings says where the time of the training program went, by op, when
// Options.Debug.Timing is on.
func (t *Trainer) Timings() []tensor.Timing { return t.stage.prog.run.Timings() }
