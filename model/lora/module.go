package lora

import (
	"errors"
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
)

// module is one layer and what an adapter does to it.
type module struct {
	layer
	rank                   int // of the low-rank update; 0 for none
	scale                  float64
	biasOnB                bool
	wholeWeight, wholeBias bool // the adapter has its own
	low                    *nn.LowRank
	own                    *nn.Replacement
}

// choose lists the layers of m that c changes, and how.
func choose(m model.Model, name string, c Config) ([]*module, error) {
	match, err := newMatcher(c)
	if err != nil {
		return nil, err
	}
	if err := free(m, name); err != nil {
		return nil, err
	}
	var chosen []*module
	var errs []error
	adapted := false
	for _, l := range layers(m) {
		mod := match.module(l)
		adapted = adapted || mod.rank > 0
		if mod.biasOnB && l.kind != inner {
			errs = append(errs, fmt.Errorf("%w: a bias on B (lora_bias) of %s, want one of inner linear layers only", ErrConfig, l.path))
		}
		if mod.rank > 0 || mod.wholeWeight || mod.wholeBias {
			chosen = append(chosen, mod)
		}
	}
	if !adapted {
		errs = append(errs, fmt.Errorf("%w: %q%s", ErrNoTarget, c.Targets, c.TargetPattern))
	}
	return chosen, errors.Join(errs...)
}

// module is what the configuration wants of a layer.
func (m *matcher) module(l layer) *module {
	mod := &module{layer: l}
	if m.saves(l.path) {
		mod.wholeWeight, mod.wholeBias = true, l.hasBias()
		return mod
	}
	if m.adapts(l.path, l.kind) {
		mod.rank, mod.scale = m.size(l.path)
		mod.biasOnB = m.BiasOnB
	}
	mod.wholeBias = m.Biases.bears(&l, mod.rank > 0)
	return mod
}

// free is nil if a new adapter of m can have that name.
func free(m model.Model, name string) error {
	if name == "" {
		return fmt.Errorf("lora: the adapter has no name")
	}
	for _, l := range layers(m) {
		if l.knows(name) {
			return fmt.Errorf("lora: the model has an adapter %q already", name)
		}
	}
	return nil
}

// allocate creates the parameters with zero values, in float64 beside such
// weights and else in float32.
func (m *module) allocate(name string, dropout float64) error {
	m.low, m.own = nil, nil
	if m.rank > 0 {
		m.low = &nn.LowRank{Scale: m.scale, Dropout: dropout, Salt: salt(m.path)}
	}
	if m.wholeWeight || m.wholeBias {
		m.own = &nn.Replacement{}
	}
	for _, p := range m.parts() {
		shape, n := slices.Clone(p.shape), 1
		for _, d := range shape {
			n *= d
		}
		if p.transposed {
			slices.Reverse(shape)
		}
		full := m.path + "." + p.key + "." + name
		var err error
		if (*m.weight).Dtype() == tensor.Float64 {
			*p.param, err = tensor.NewParam(full, make([]float64, n), shape...)
		} else {
			*p.param, err = tensor.NewParam(full, make([]float32, n), shape...)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// attach makes the layer know the adapter.
func (m *module) attach(name string) {
	if m.low != nil {
		if *m.adapters == nil {
			*m.adapters = map[string]*nn.LowRank{}
		}
		(*m.adapters)[name] = m.low
	}
	if m.own != nil {
		if *m.replaced == nil {
			*m.replaced = nn.Replacements{}
		}
		(*m.replaced)[name] = m.own
	}
}

// attached says whether the layer knows the adapter.
func (m *module) attached(name string) bool {
	return (m.low == nil || (*m.adapters)[name] == m.low) && (m.own == nil || (*m.replaced)[name] == m.own)
}

// remove makes the layer forget the adapter.
func (m *module) remove(name string) {
	if m.low != nil {
		delete(*m.adapters, name)
	}
	if m.own != nil {
		delete(*m.replaced, name)
	}
}

// salt is a number that is the module's own.
func salt(path string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(path))
	return h.Sum64()
}
