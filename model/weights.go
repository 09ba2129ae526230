package model

import (
	"fmt"
	"maps"
	"slices"

	"github.com/posttrain/posttrain/tensor"
)

// Weights is a Source of weights in memory, by checkpoint name. Models made from
// it share the parameters unless loading converts them.
type Weights map[string]*tensor.Param

// Names lists the names in alphabetical order.
func (w Weights) Names() []string { return slices.Sorted(maps.Keys(w)) }

// Param returns the weight itself.
func (w Weights) Param(name string) (*tensor.Param, error) {
	if p := w[name]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("%w: %s", ErrMissingWeight, name)
}

// CopyWeights copies the parameters of m.
func CopyWeights(m Model) (Weights, error) {
	w := Weights{}
	for name, p := range m.Params() {
		q, err := p.Convert(p.Dtype())
		if err != nil {
			return nil, err
		}
		w[name] = q
	}
	return w, nil
}
