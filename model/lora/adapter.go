package lora

import (
	"errors"
	"fmt"
	"iter"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
)

// ErrNoTarget says that no layer of the model matches the targets.
var ErrNoTarget = errors.New("lora: no layer matches the targets")

// ErrDetached says that an adapter was removed from its model or merged into it.
var ErrDetached = errors.New("lora: the adapter is not attached to its model any more")

// Adapter is a set of low-rank updates of the layers of one model.
type Adapter struct {
	name    string
	config  Config
	model   model.Model
	modules []*module
}

// Attach adds a fresh adapter to m under a name that is not in use. A is drawn
// from U(−1/√in, 1/√in) and B is zero, so that the model computes what it did
// before. Values depend on the seed and the layer's path only. All parameters of
// the adapter are trainable. A target that names no layer is an error.
//
// Attaching and removing change the model's layers: no graph may be built from
// the model at the same time. Graphs that exist already are not affected.
func Attach(m model.Model, name string, c Config) (*Adapter, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	modules, err := choose(m, name, c)
	if err != nil {
		return nil, err
	}
	for _, t := range c.Targets {
		if t != AllLinear && !anyNamed(layers(m), t) {
			return nil, fmt.Errorf("%w: %q", ErrNoTarget, t)
		}
	}
	a := &Adapter{name: name, config: c, model: m, modules: modules}
	for _, mod := range modules {
		if err := mod.allocate(name, c.Dropout); err != nil {
			return nil, err
		}
		mod.initialise(c)
	}
	if err := a.SetTrainable(true); err != nil {
		return nil, err
	}
	a.attach()
	return a, nil
}

// anyNamed says whether one of the layers goes by a name.
func anyNamed(list []*module, name string) bool {
	for _, mod := range list {
		if named([]string{name}, mod.path) {
			return true
		}
	}
	return false
}

// Clone attaches a frozen copy of a to the same model under another name, such as
// the reference of a preference loss.
func (a *Adapter) Clone(name string) (*Adapter, error) {
	if err := a.attached(); err != nil {
		return nil, err
	}
	if err := free(a.model, name); err != nil {
		return nil, err
	}
	c := &Adapter{name: name, config: a.config, model: a.model}
	for _, from := range a.modules {
		mod := *from
		if err := mod.allocate(name, a.config.Dropout); err != nil {
			return nil, err
		}
		copyValues(mod.low.A, from.low.A)
		copyValues(mod.low.B, from.low.B)
		c.modules = append(c.modules, &mod)
	}
	c.attach()
	return c, nil
}

// copyValues copies between parameters of one shape and type.
func copyValues(to, from *tensor.Param) {
	copy(to.Data(), from.Data())
	copy(to.Data64(), from.Data64())
	to.Changed()
}

// attach makes the layers know the adapter.
func (a *Adapter) attach() {
	for _, m := range a.modules {
		if *m.adapters == nil {
			*m.adapters = map[string]*nn.LowRank{}
		}
		(*m.adapters)[a.name] = m.low
	}
}

// attached is nil while the adapter is one of its model's.
func (a *Adapter) attached() error {
	for _, m := range a.modules {
		if (*m.adapters)[a.name] != m.low {
			return fmt.Errorf("%w: %q", ErrDetached, a.name)
		}
	}
	return nil
}

// Remove detaches the adapter from its model, which then computes what it did
// before the adapter came. The adapter's values stay as they are.
func (a *Adapter) Remove() {
	if a.attached() != nil {
		return
	}
	for _, m := range a.modules {
		delete(*m.adapters, a.name)
	}
}

// Name is what graphs call the adapter.
func (a *Adapter) Name() string { return a.name }

// Config is the adapter's configuration with its defaults filled in.
func (a *Adapter) Config() Config { return a.config }

// Params lists the adapter's parameters: A and B of each adapted layer, in the
// order of the forward pass. A of an embedding is (vocabulary, r), the transpose
// of what a file has.
func (a *Adapter) Params() iter.Seq2[string, *tensor.Param] {
	return func(yield func(string, *tensor.Param) bool) {
		for _, m := range a.modules {
			if !yield(m.low.A.Name(), m.low.A) || !yield(m.low.B.Name(), m.low.B) {
				return
			}
		}
	}
}

// SetTrainable gives every parameter of the adapter a gradient accumulator, or
// takes it away.
func (a *Adapter) SetTrainable(on bool) error {
	var errs []error
	for _, p := range a.Params() {
		errs = append(errs, p.SetTrainable(on))
	}
	return errors.Join(errs...)
}

// Zero says whether the adapter changes nothing because A or B is zero in every
// layer, as it is when freshly attached.
func (a *Adapter) Zero() bool {
	for _, m := range a.modules {
		if !isZero(m.low.A) && !isZero(m.low.B) {
			return false
		}
	}
	return true
}
