package rlhf

import (
	"fmt"

	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/lora"
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

// check refuses what cannot be trained.
func (p Policy) check() error {
	if err := policy.Policy(p).Check(); err != nil {
		return fmt.Errorf("rlhf: %w", err)
	}
	return nil
}
