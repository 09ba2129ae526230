package dpo

import (
	"fmt"

	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/tensor"
)

// Policy is what is trained: the adapter when there is one, else all weights of
// the model. Adapters of package lora are meant; virtual tokens (package soft) and
// bottlenecks (package houlsby) are for package sft.
type Policy struct {
	Model   model.Model
	Adapter *lora.Adapter // attached to Model; nil trains Model itself
}

// AdapterName is the name of the adapter, "" without one.
func (p Policy) AdapterName() string { return policy.Policy(p).AdapterName() }

// Params lists what is trained, in a stable order.
func (p Policy) Params() []*tensor.Param { return policy.Policy(p).Params() }

// Validate refuses what cannot be trained.
func (p Policy) Validate() error {
	if err := policy.Policy(p).Check(); err != nil {
		return fmt.Errorf("dpo: %w", err)
	}
	return nil
}

// MakeTrainable gives every parameter of Params a gradient accumulator.
func (p Policy) MakeTrainable() error { return policy.MakeTrainable(p.Params()) }

// Save writes what is trained into an existing folder: a PEFT folder for an
// adapter, whose base model is called base there, else model.safetensors with
// every weight.
func (p Policy) Save(dir, base string) error { return policy.Policy(p).Save(dir, base) }

// Restore reads what Save wrote, bit for bit. On failure nothing has changed, but
// for an adapter or a file that cannot be read to its end.
func (p Policy) Restore(dir string) error { return policy.Policy(p).Load(dir) }
