package dpo

import (
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/tensor"
)

// Policy is what is trained: the adapter when there is one, else all weights of
// the model.
type Policy struct {
	Model   model.Model
	Adapter *lora.Adapter // attached to Model; nil trains Model itself
}

// AdapterName is the name of the adapter, "" without one.
func (p Policy) AdapterName() string {
	if p.Adapter == nil {
		return ""
	}
	return p.Adapter.Name()
}

// Params lists what is trained, in a stable order.
func (p Policy) Params() []*tensor.Param {
	all := p.Model.Params()
	if p.Adapter != nil {
		all = p.Adapter.Params()
	}
	var list []*tensor.Param
	for _, q := range all {
		list = append(list, q)
	}
	return list
}

// Validate refuses what cannot be trained.
func (p Policy) Validate() error {
	if p.Model == nil {
		return errors.New("dpo: Policy.Model: got none, want a model")
	}
	if p.Adapter != nil && !model.HasAdapter(p.Model, p.Adapter.Name()) {
		return fmt.Errorf("dpo: Policy.Adapter: got %q, which is not attached to the model (removed, merged, or of another one)", p.Adapter.Name())
	}
	for _, q := range p.Params() {
		if dt := q.Dtype(); dt != tensor.Float32 && dt != tensor.Float64 {
			return fmt.Errorf("dpo: weight %s is stored as %v, want float32 to train it: open the model with auto.Options{Weights: tensor.Float32}, or train an adapter (package lora), which leaves it as it is", q.Name(), dt)
		}
	}
	return nil
}

// MakeTrainable gives every parameter of Params a gradient accumulator.
func (p Policy) MakeTrainable() error {
	var faults []error
	for _, q := range p.Params() {
		faults = append(faults, q.SetTrainable(true))
	}
	return errors.Join(faults...)
}
