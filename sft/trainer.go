package sft

import (
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/data"
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

// ErrMemory says that training would need more memory than there is.
var ErrMemory = errors.New("sft: training does not fit in memory")

// New prepares fine-tuning of a policy on the batches of src. It gives the
// policy's parameters gradient accumulators and compiles the loss. It fails with
// ErrMemory, before anything large is allocated, when the plan exceeds
// o.MemoryLimit.
func New(p Policy, src data.StepSource, o Options, loop train.Options) (*Trainer, error) {
	if err := errors.Join(o.Validate(), loop.Validate()); err != nil {
		return nil, err
	}
	if p.Model == nil || src == nil {
		return nil, errors.New("sft: got no model or no source of batches, want both")
	}
	o = o.withDefaults()
	if err := fits(p, o); err != nil {
		return nil, err
	}
	s := &stage{policy: p, opts: o, src: src, params: p.params()}
	err := makeTrainable(s.params)
	if err != nil {
		return nil, err
	}
	for _, q := range s.params {
		s.list = append(s.list, q)
	}
	arena := &tensor.Arena{}
	if s.prog, err = compile(p, o, o.shape(), s.params, arena); err != nil {
		return nil, err
	}
	if loop.Device == nil {
		loop.Device = o.Device
	}
	if loop.Evaluator, err = newEvaluator(p, o, arena, loop.Evaluator); err != nil {
		return nil, err
	}
	t, err := train.New(s, loop)
	if err != nil {
		return nil, err
	}
	return &Trainer{t, s}, nil
}

// Memory is what training takes, in bytes.
type Memory struct {
	Weights   int64 // of the model and adapter
	Gradients int64
	Optimizer int64 // two moments a trained element
	Arena     int64 // activations and scratch of the largest micro-batch
}

// Total is the sum of all parts.
func (m Memory) Total() int64 { return m.Weights + m.Gradients + m.Optimizer + m.Arena }

// String lists the parts in MiB.
func (m Memory) String() string {
	mib := func(n int64) float64 { return float64(n) / (1 << 20) }
	return fmt.Sprintf("%.0f MiB: weights %.0f, gradients %.0f, optimizer %.0f, activations %.0f",
		mib(m.Total()), mib(m.Weights), mib(m.Gradients), mib(m.Optimizer), mib(m.Arena))
}

// PlanMemory says what fine-tuning p with o would take, without allocating it.
func PlanMemory(p Policy, o Options) (Memory, error) {
	if err := o.Validate(); err != nil {
		return Memory{}, err
	}
	o = o.withDefaults()
	var m Memory
	for _, q := range p.Model.Params() {
		m.Weights += int64(q.Bytes())
	}
	params := p.params()
	for _, q := range params {
		m.Gradients += int64(q.Bytes())
		if p.Adapter != nil {
			m.Weights += int64(q.Bytes())
		}
	}
	m.Optimizer = 2 * m.Gradients
	pl, err := plan(p, o, o.shape(), params)
	m.Arena = int64(pl.Arena)
	return m, err
}

// fits compares the plan with the limit.
func fits(p Policy, o Options) error {
	if o.MemoryLimit < 0 {
		return nil
	}
	limit := o.MemoryLimit
	if limit == 0 {
		var known bool
		if limit, known = train.AvailableMemory(); !known {
			return nil
		}
	}
	m, err := PlanMemory(p, o)
	if err != nil {
		return err
	}
	if need := m.Total() - m.Weights; need > limit {
		return fmt.Errorf("%w: it takes %v; beside the weights %d MiB are available (smaller MicroTokens, Recompute or an adapter take less)", ErrMemory, m, limit>>20)
	}
	return nil
}

// Model is the model that is trained.
func (t *Trainer) Model() model.Model { return t.stage.policy.Model }

// Parameters lists what is trained; the gradients are those of the last step,
// before clipping.
func (t *Trainer) Parameters() []train.Parameter { return t.stage.list }

// Timings says where the time of the training program went, by op, when
// Options.Debug.Timing is on.
func (t *Trainer) Timings() []tensor.Timing { return t.stage.prog.run.Timings() }
