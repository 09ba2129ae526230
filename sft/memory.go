package sft

import (
	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/train"
)

// Memory is what training takes, in bytes.
type Memory = train.Memory

// ErrMemory says that training would need more memory than there is.
var ErrMemory = train.ErrMemory

// PlanMemory says what fine-tuning p with o would take, without allocating it.
// Matrix products take up to 32 MiB beside it.
func PlanMemory(p Policy, o Options) (Memory, error) {
	if err := o.Validate(); err != nil {
		return Memory{}, err
	}
	if err := p.check(); err != nil {
		return Memory{}, err
	}
	o = o.withDefaults(nil)
	pl, err := plan(p, o, o.shape(), p.params())
	if err != nil {
		return Memory{}, err
	}
	m := policy.Plan(p.Model.Params(), p.params(), p.tuner() != nil, pl.Arena)
	if o.EvalData != nil { // shares the arena
		pl, err = plan(p, o, o.shape(), nil)
		m.Arena = max(m.Arena, int64(pl.Arena))
	}
	return m, err
}

// fits compares the plan with the limit.
func fits(p Policy, o Options) error {
	if o.MemoryLimit < 0 {
		return nil
	}
	m, err := PlanMemory(p, o)
	if err != nil {
		return err
	}
	return m.Fits(o.MemoryLimit)
}

// Memory is what training takes; its arena is the one that was allocated.
func (t *Trainer) Memory() (Memory, error) {
	m, err := PlanMemory(t.stage.policy, t.stage.opts)
	m.Arena = int64(t.stage.arena.Bytes())
	return m, err
}
