package lora

import (
	"errors"
	"fmt"
	"hash/fnv"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
)

// module is one layer and what an adapter does to it.
type module struct {
	layer
	update                 update // nil for none
	wholeWeight, wholeBias bool   // the adapter has its own
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
		mod, err := match.module(l)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		adapted = adapted || mod.update != nil
		if mod.update != nil || mod.wholeWeight || mod.wholeBias {
			chosen = append(chosen, mod)
		}
	}
	if !adapted {
		errs = append(errs, fmt.Errorf("%w: %q%s", ErrNoTarget, c.Targets, c.TargetPattern))
	}
	return tie(m, chosen), errors.Join(errs...)
}

// module is what the configuration wants of a layer.
func (m *matcher) module(l layer) (*module, error) {
	mod := &module{layer: l}
	tokens, err := m.tokens(&l)
	if err != nil {
		return nil, err
	}
	if tokens != nil {
		mod.update = tokens
	}
	whole, adapted := m.saves(l.path), m.adapts(l.path, l.kind)
	if tokens != nil && (whole || adapted) {
		return nil, fmt.Errorf("%w: %s has trained tokens and is a target or module to save too, want one", ErrConfig, l.path)
	}
	if whole {
		mod.wholeWeight, mod.wholeBias = true, l.hasBias()
		return mod, nil
	}
	if adapted {
		if err := m.fits(&l); err != nil {
			return nil, err
		}
		mod.update = m.kind().update(m, &l)
	}
	mod.wholeBias = m.Biases.bears(&l, mod.update != nil)
	return mod, nil
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
func (m *module) allocate(name string) error {
	m.own = nil
	if m.update != nil {
		m.update = m.update.clone()
	}
	if m.wholeWeight || m.wholeBias {
		m.own = &nn.Replacement{}
	}
	for _, p := range m.parts() {
		shape, n := p.inMemory(), 1
		for _, d := range shape {
			n *= d
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
	switch {
	case m.update == nil || m.update.adapter() == nil:
	case m.lookups != nil:
		if *m.lookups == nil {
			*m.lookups = map[string]nn.LookupAdapter{}
		}
		(*m.lookups)[name] = m.update.adapter().(nn.LookupAdapter)
	default:
		if *m.adapters == nil {
			*m.adapters = map[string]nn.Adapter{}
		}
		(*m.adapters)[name] = m.update.adapter().(nn.Adapter)
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
	return (m.update == nil || m.known(name) == m.update.adapter()) && (m.own == nil || (*m.replaced)[name] == m.own)
}

// known is what the layer has under a name.
func (m *module) known(name string) any {
	if m.lookups != nil {
		return (*m.lookups)[name]
	}
	return (*m.adapters)[name]
}

// remove makes the layer forget the adapter.
func (m *module) remove(name string) {
	switch {
	case m.update == nil:
	case m.lookups != nil:
		delete(*m.lookups, name)
	default:
		delete(*m.adapters, name)
	}
	if m.own != nil {
		delete(*m.replaced, name)
	}
}

// file is what the names of the module's tensors in a file begin with.
func (m *module) file() string { return filePrefix + m.path + "." }

// salt is a number that is the module's own.
func salt(path string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(path))
	return h.Sum64()
}
