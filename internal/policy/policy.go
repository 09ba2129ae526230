package policy

import (
	"errors"
	"fmt"
	"iter"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/tensor"
)

// Policy is what is trained: the adapter when there is one, else all weights of
// the model.
type Policy struct {
	Model   model.Model
	Adapter *lora.Adapter
}

// AdapterName is the name of the adapter, "" without one.
func (p Policy) AdapterName() string {
	if p.Adapter == nil {
		return ""
	}
	return p.Adapter.Name()
}

// Params lists what is trained.
func (p Policy) Params() []*tensor.Param {
	if p.Adapter != nil {
		return List(p.Adapter.Params())
	}
	return List(p.Model.Params())
}

// List is the parameters of a model, head or adapter, in order.
func List(all iter.Seq2[string, *tensor.Param]) []*tensor.Param {
	var list []*tensor.Param
	for _, q := range all {
		list = append(list, q)
	}
	return list
}

// Check refuses what cannot be trained.
func (p Policy) Check() error {
	if p.Model == nil {
		return errors.New("Policy.Model: got none, want a model")
	}
	if name := p.AdapterName(); name != "" {
		if err := Attached(p.Model, name); err != nil {
			return fmt.Errorf("Policy.Adapter: %w", err)
		}
	}
	return Stored(p.Params())
}

// Attached wants an adapter of that name at weights of a model.
func Attached(m model.Model, name string) error {
	switch {
	case model.HasAdapter(m, name):
		return nil
	case model.VirtualTokens(m, name) > 0:
		return fmt.Errorf("got %q, which puts virtual tokens before texts (package soft), want an adapter of weights: only package sft trains virtual tokens", name)
	}
	return fmt.Errorf("got %q, which is not attached to the model (removed, merged, or of another one)", name)
}

// Stored wants parameters in a precision that can be trained.
func Stored(params []*tensor.Param) error {
	for _, q := range params {
		if dt := q.Dtype(); dt != tensor.Float32 && dt != tensor.Float64 {
			return fmt.Errorf("weight %s is stored as %v, want float32 to train it: open the model with auto.Options{Weights: tensor.Float32}, or train an adapter (package lora), which leaves it as it is", q.Name(), dt)
		}
	}
	return nil
}

// MakeTrainable gives every parameter a gradient accumulator.
func MakeTrainable(params []*tensor.Param) error {
	var faults []error
	for _, q := range params {
		faults = append(faults, q.SetTrainable(true))
	}
	return errors.Join(faults...)
}

// Precision is what a model computes in.
func Precision(m model.Model) tensor.Dtype {
	if m.Head().Dtype() == tensor.Float64 {
		return tensor.Float64
	}
	return tensor.Float32
}

// StartTol is how far, in nats and relative to the log-probability of an answer,
// log-ratios may be from 0 where a model is its own reference: rounding of sums over
// differently packed batches.
func StartTol(m model.Model) float64 {
	if Precision(m) == tensor.Float64 {
		return 1e-9
	}
	return 1e-4
}

// Gradients adds the reverse pass of loss (1), whose gradient is seed (1), with
// an accumulation for every parameter. It stops graph building where the loss
// does not depend on one.
func Gradients(g *tensor.Graph, loss, seed *tensor.Node, params []*tensor.Param) []tensor.Accumulation {
	return gradients(g, loss, seed, params, true)
}

// Reached is Gradients for parameters of which the loss may leave some alone, such
// as a language model's head below a critic.
func Reached(g *tensor.Graph, loss, seed *tensor.Node, params []*tensor.Param) []tensor.Accumulation {
	return gradients(g, loss, seed, params, false)
}

func gradients(g *tensor.Graph, loss, seed *tensor.Node, params []*tensor.Param, all bool) []tensor.Accumulation {
	if len(params) == 0 {
		return nil
	}
	wrt := make(tensor.Nodes, len(params))
	for i, p := range params {
		wrt[i] = p.Node(g)
	}
	var acc []tensor.Accumulation
	for i, parts := range tensor.Gradients(tensor.Nodes{loss}, tensor.Nodes{seed}, wrt) {
		if len(parts) == 0 && all {
			tensor.Fail("the loss does not depend on parameter %s", params[i].Name())
		}
		for _, part := range parts {
			acc = append(acc, tensor.Accumulation{Grad: part, Into: params[i]})
		}
	}
	return acc
}
