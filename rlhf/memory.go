package rlhf

import (
	"fmt"

	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/train"
)

// Memory is what training takes, in bytes.
type Memory struct {
	Weights   int64 // of the model and adapter
	Gradients int64
	Optimizer int64 // two moments a trained element, as AdamW keeps
	Reference int64 // a copy of what is trained, where the reference needs one
	Arena     int64 // activations and scratch of the largest micro-batch
	Cache     int64 // keys and values of the completions that are sampled at once
}

// Total is the sum of all parts.
func (m Memory) Total() int64 {
	return m.Weights + m.Gradients + m.Optimizer + m.Reference + m.Arena + m.Cache
}

// String lists the parts in MiB.
func (m Memory) String() string {
	mib := func(n int64) float64 { return float64(n) / (1 << 20) }
	return fmt.Sprintf("%.0f MiB: weights %.0f, gradients %.0f, optimizer %.0f, reference %.0f, activations %.0f, cache %.0f",
		mib(m.Total()), mib(m.Weights), mib(m.Gradients), mib(m.Optimizer), mib(m.Reference), mib(m.Arena), mib(m.Cache))
}

// PlanMemory says what training p with o would take for prompts of at most longest
// tokens, without allocating it. Neither a Reference.Model of its own nor rewarders
// are counted, and matrix products take up to 32 MiB beside it.
func PlanMemory(p Policy, longest int, o Options) (Memory, error) {
	if err := o.Validate(); err != nil {
		return Memory{}, err
	}
	if err := p.check(); err != nil {
		return Memory{}, err
	}
	o = o.withDefaults().forPrompts(longest)
	var m Memory
	for _, q := range p.Model.Params() {
		m.Weights += int64(q.Bytes())
	}
	params := policy.Policy(p).Params()
	for _, q := range params {
		m.Gradients += int64(q.Bytes())
		if p.Adapter != nil {
			m.Weights += int64(q.Bytes())
		}
	}
	if o.Critic != nil {
		for _, q := range o.Critic.own() {
			m.Gradients += int64(q.Bytes())
		}
	}
	m.Optimizer = 2 * m.Gradients
	if _, ref := o.needs(); ref && o.Reference.Model == nil && (p.Adapter == nil || !o.Reference.Base && !p.Adapter.Zero()) {
		for _, q := range params {
			m.Reference += int64(q.Bytes())
		}
	}
	if o.Source == nil && o.Sampler == nil {
		c := p.Model.Config()
		m.Cache = 8 * int64(c.NumHiddenLayers) * int64(o.Sequences) * int64(longest+o.room()) * int64(c.NumKeyValueHeads*c.HeadDim)
	}
	// Scoring and sampling share the arena and need less: they keep nothing for a
	// backward pass.
	pl, err := plan(p, &o, params)
	m.Arena = int64(pl.Arena)
	return m, err
}

// fits compares the plan with the limit.
func fits(p Policy, longest int, o Options) error {
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
	m, err := PlanMemory(p, longest, o)
	if err != nil {
		return err
	}
	if need := m.Total() - m.Weights; need > limit {
		return fmt.Errorf("%w: it takes %v; beside the weights %d MiB are available (smaller MicroTokens or Sequences, Recompute or an adapter take less)", ErrMemory, m, limit>>20)
	}
	return nil
}
