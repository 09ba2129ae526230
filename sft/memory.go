package sft

import (
	"fmt"

	"github.com/posttrain/posttrain/train"
)

// Memory is what training takes, in bytes.
type Memory struct {
	Weights   int64 // of the model and adapter
	Gradients int64
	Optimizer int64 // two moments a trained element, as AdamW keeps
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
// Matrix products take up to 32 MiB beside it.
func PlanMemory(p Policy, o Options) (Memory, error) {
	if err := o.Validate(); err != nil {
		return Memory{}, err
	}
	if err := p.check(); err != nil {
		return Memory{}, err
	}
	o = o.withDefaults(nil)
	var m Memory
	for _, q := range p.Model.Params() {
		m.Weights += int64(q.Bytes())
	}
	params := p.params()
	for _, q := range params {
		m.Gradients += int64(q.Bytes())
		if p.tuner() != nil {
			m.Weights += int64(q.Bytes())
		}
	}
	m.Optimizer = 2 * m.Gradients
	pl, err := plan(p, o, o.shape(), params)
	if err != nil {
		return Memory{}, err
	}
	m.Arena = int64(pl.Arena)
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

// Memory is what training takes; its arena is the one that was allocated.
func (t *Trainer) Memory() (Memory, error) {
	m, err := PlanMemory(t.stage.policy, t.stage.opts)
	m.Arena = int64(t.stage.arena.Bytes())
	return m, err
}
