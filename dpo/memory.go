package dpo

import (
	"errors"
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

// Memory is what training p takes whose activations take arena bytes.
func (p Policy) Memory(arena int64) Memory {
	m := Memory{Arena: arena}
	for _, q := range p.Model.Params() {
		m.Weights += int64(q.Bytes())
	}
	for _, q := range p.Params() {
		m.Gradients += int64(q.Bytes())
		if p.Adapter != nil {
			m.Weights += int64(q.Bytes())
		}
	}
	m.Optimizer = 2 * m.Gradients
	return m
}

// Fits wants all but the weights to take at most limit bytes, else the error wraps
// ErrMemory. 0 asks the system what is available; negative means no limit.
func (m Memory) Fits(limit int64) error {
	if limit == 0 {
		var known bool
		if limit, known = train.AvailableMemory(); !known {
			return nil
		}
	}
	if need := m.Total() - m.Weights; limit >= 0 && need > limit {
		return fmt.Errorf("%w: it takes %v; beside the weights %d MiB are available (smaller MicroTokens, Recompute or an adapter take less)", ErrMemory, m, limit>>20)
	}
	return nil
}

// PlanMemory says what training p with o would take, without allocating it.
// Neither a Reference.Model of its own nor cached log-probabilities are counted,
// and matrix products take up to 32 MiB beside it.
func PlanMemory(p Policy, o Options) (Memory, error) {
	if err := errors.Join(o.Validate(), p.Validate()); err != nil {
		return Memory{}, err
	}
	o = o.withDefaults(nil)
	// The reference and evaluations share the arena and need less: they keep
	// nothing for a backward pass.
	pl, err := plan(p, o, o.size(), p.Params())
	return p.Memory(int64(pl.Arena)), err
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
