package rlhf

import (
	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// Memory is what training takes, in bytes.
type Memory = train.Memory

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
	params := policy.Policy(p).Params()
	m := policy.Plan(p.Model.Params(), params, p.Adapter != nil, 0)
	if _, ref := o.needs(); ref && o.Reference.Model == nil && (p.Adapter == nil || !o.Reference.Base && !p.Adapter.Zero()) {
		m.Reference = policy.Bytes(params)
	}
	if o.Source == nil && o.Sampler == nil {
		c := p.Model.Config()
		m.Cache = 8 * int64(c.NumHiddenLayers) * int64(o.Sequences) * int64(longest+o.room()) * int64(c.NumKeyValueHeads*c.HeadDim)
	}
	// Scoring and sampling share the arena and need less: they keep nothing for a
	// backward pass.
	pl, err := plan(p, &o, params)
	m.Arena = int64(pl.Arena)
	if o.Critic == nil || err != nil {
		return m, err
	}
	return m, o.Critic.plan(p, &o, &m)
}

// plan adds what the critic takes. It shares the arena.
func (c *Critic) plan(p Policy, o *Options, m *Memory) error {
	own := policy.Bytes(c.own())
	m.Gradients, m.Optimizer = m.Gradients+own, m.Optimizer+2*own
	if m.Weights += own; c.Model != nil && c.Adapter != nil {
		for _, q := range c.Model.Params() {
			m.Weights += int64(q.Bytes())
		}
	}
	j := &judge{Critic: c.withDefaults(), params: c.own()}
	g, co, err := j.describe(p, o)
	if err != nil {
		return err
	}
	pl, err := tensor.DryPlan(g, j.outputs(), co)
	m.Arena = max(m.Arena, int64(pl.Arena))
	return err
}

// fits compares the plan with the limit.
func fits(p Policy, longest int, o Options) error {
	if o.MemoryLimit < 0 {
		return nil
	}
	m, err := PlanMemory(p, longest, o)
	if err != nil {
		return err
	}
	return m.Fits(o.MemoryLimit)
}
