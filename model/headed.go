package model

import (
	"fmt"
	"iter"

	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
)

// Headed is a model with a head, for what walks over parameters and layers:
// training of all weights, adapters that have a copy of the head.
type Headed struct {
	Model
	// Score is the head.
	Score *Head
}

var (
	_ Model  = Headed{}
	_ Untier = Headed{}
	_ Scorer = Headed{}
)

// Scorer is a Model that knows of a layer which scores hidden states.
type Scorer interface {
	Model
	// Scoring is the layer of the head.
	Scoring() *nn.Linear
}

// Scoring is the layer of the head.
func (h Headed) Scoring() *nn.Linear { return h.Score.Linear }

// Params lists the model's parameters, then the head's. A language model's head
// is left out unless the kind is Value: it has no part in the scores.
func (h Headed) Params() iter.Seq2[string, *tensor.Param] {
	return func(yield func(string, *tensor.Param) bool) {
		unused := h.Score.Kind != Value && !Tied(h.Model)
		for name, p := range h.Model.Params() {
			if unused && p == h.Model.Head() {
				continue
			}
			if !yield(name, p) {
				return
			}
		}
		h.Score.Params()(yield)
	}
}

// Untie unties the head of the model; see Untier.
func (h Headed) Untie(head *tensor.Param) error {
	u, ok := h.Model.(Untier)
	if !ok {
		return fmt.Errorf("model: untie: a model of type %T cannot", h.Model)
	}
	return u.Untie(head)
}
