package sft

import (
	"errors"
	"fmt"
	"iter"

	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/tensor"
)

// Policy is what is trained: the adapter when there is one, else all weights of
// the model.
type Policy struct {
	Model   model.Model
	Adapter *lora.Adapter // attached to Model; nil trains Model itself
	// Tuner is an adapter of another kind, in place of Adapter: virtual tokens
	// (package soft), which are put before every sequence, or bottlenecks (package
	// houlsby).
	Tuner Tuner
}

// Tuner is what a policy needs of an adapter that is attached to its model.
type Tuner interface {
	// Name is what graphs call the adapter.
	Name() string
	// Params lists what is trained, in a stable order.
	Params() iter.Seq2[string, *tensor.Param]
	// Save writes the adapter, which belongs to the model of that name or path.
	Save(dir, base string) error
	// Restore reads the values that Save wrote.
	Restore(dir string) error
}

var _ Tuner = (*lora.Adapter)(nil)

// tuner is the adapter, nil without one.
func (p Policy) tuner() Tuner {
	if p.Adapter != nil {
		return p.Adapter
	}
	return p.Tuner
}

// AdapterName is the name of the adapter, "" without one.
func (p Policy) AdapterName() string {
	if a := p.tuner(); a != nil {
		return a.Name()
	}
	return ""
}

// params lists what is trained.
func (p Policy) params() []*tensor.Param {
	if a := p.tuner(); a != nil {
		return policy.List(a.Params())
	}
	return policy.List(p.Model.Params())
}

// check refuses what cannot be trained.
func (p Policy) check() error {
	if p.Model == nil {
		return errors.New("sft: Policy.Model: got none, want a model")
	}
	if p.Adapter != nil && p.Tuner != nil {
		return errors.New("sft: Policy: got both Adapter and Tuner, want one")
	}
	if name := p.AdapterName(); name != "" && model.VirtualTokens(p.Model, name) == 0 {
		if err := policy.Attached(p.Model, name); err != nil {
			return fmt.Errorf("sft: Policy.Adapter: %w", err)
		}
	}
	if err := policy.Stored(p.params()); err != nil {
		return fmt.Errorf("sft: %w", err)
	}
	return nil
}
