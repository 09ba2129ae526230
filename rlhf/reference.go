package rlhf

import (
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/tensor"
)

// Reference says which frozen policy π₀ KL terms compare with. The zero value is the
// policy as it is when New is called: with an adapter that is still zero, the model
// without it, which costs nothing; with another adapter a frozen copy of it beside
// it; without an adapter a copy of all weights, put in place whenever the reference
// is asked. Nothing is kept when no KL term is used.
//
// A run that is resumed needs the policy at its start again: pass New the same
// model and adapter as the first time.
type Reference struct {
	// Model is a frozen model that is the reference; nil means the policy's own.
	Model model.Model
	// Adapter names the adapter of Model that is active, "" for none.
	Adapter string
	// Base makes the policy's model without any adapter the reference.
	Base bool
}

func (r Reference) validate() error {
	var faults []error
	if r.Base && r.Model != nil {
		faults = append(faults, errors.New("rlhf: Reference: got Base and Model, want one of them"))
	}
	if r.Adapter != "" && r.Model == nil {
		faults = append(faults, fmt.Errorf("rlhf: Reference.Adapter: got %q without Model, want the model it belongs to", r.Adapter))
	}
	if r.Adapter != "" && r.Model != nil {
		if err := policy.Attached(r.Model, r.Adapter); err != nil {
			faults = append(faults, fmt.Errorf("rlhf: Reference.Adapter: %w", err))
		}
	}
	return errors.Join(faults...)
}

// frozen is a resolved reference.
type frozen struct {
	model   model.Model
	adapter string
	name    string // for saved states
	start   bool   // it is the policy at the start, by construction

	params []*tensor.Param // of the policy, with the weights of the start
	kept   [][]byte
	scorer *scorer
}

// resolve decides what the reference is, and keeps what it needs.
func (r Reference) resolve(p Policy) (*frozen, error) {
	f := &frozen{model: p.Model}
	switch {
	case r.Model != nil:
		if got, want := r.Model.Config().VocabSize, p.Model.Config().VocabSize; got != want {
			return f, fmt.Errorf("rlhf: Reference.Model: got a vocabulary of %d tokens, want the policy's %d", got, want)
		}
		f.model, f.adapter, f.name = r.Model, r.Adapter, "another model"
	case p.Adapter == nil:
		f.start, f.name = true, "the model at the start"
		f.params = policy.Policy(p).Params()
		for _, q := range f.params {
			f.kept = append(f.kept, append([]byte{}, policy.Memory(q)...))
		}
	case r.Base || p.Adapter.Zero():
		f.start, f.name = p.Adapter.Zero(), "the base model"
	default:
		f.adapter = "reference"
		for i := 2; model.HasAdapter(p.Model, f.adapter); i++ {
			f.adapter = fmt.Sprintf("reference%d", i)
		}
		if _, err := p.Adapter.Clone(f.adapter); err != nil {
			return f, fmt.Errorf("rlhf: reference: %w", err)
		}
		f.start, f.name = true, "the adapter at the start"
	}
	return f, nil
}

// score fills Ref of every completion that lacks it.
func (f *frozen) score(l *layout, list []*rollout.Completion) error {
	f.swap()
	defer f.swap()
	return f.scorer.score(l, list, func(c *rollout.Completion, lp []float64) { c.Ref = lp })
}

// swap exchanges the weights of the policy with those that were kept.
func (f *frozen) swap() {
	for i, q := range f.params {
		now := policy.Memory(q)
		for k := range now {
			now[k], f.kept[i][k] = f.kept[i][k], now[k]
		}
		q.Changed()
	}
}
