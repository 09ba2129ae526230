package lora

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
)

// ErrNoTarget says that no layer of the model matches the targets.
var ErrNoTarget = errors.New("lora: no layer matches the targets")

// ErrDetached says that an adapter was removed from its model or merged into it.
var ErrDetached = errors.New("lora: the adapter is not attached to its model any more")

// Adapter is a set of low-rank updates, and of parameters that replace others, of
// the layers of one model.
type Adapter struct {
	name    string
	config  Config
	model   model.Model
	modules []*module
	owner   bool // it took a part of the base weights away, see Init
}

// Attach adds a fresh adapter to m under a name that is not in use. Its first values
// are such that the model computes what it did before: in LoRA A is drawn from
// U(−1/√in, 1/√in) and B is zero, and modules to save, biases and rows of tokens are
// copies of the model's. Values depend on the seed and the layer's path only. All
// parameters of the adapter are trainable.
// A target or module to save that names no layer is an error.
//
// Attaching and removing change the model's layers: no graph may be built from
// the model at the same time. Graphs that exist already are not affected.
func Attach(m model.Model, name string, c Config) (*Adapter, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.forHead(m).withDefaults()
	modules, err := choose(m, name, c)
	if err != nil {
		return nil, err
	}
	if err := c.checkNames(layers(m)); err != nil {
		return nil, err
	}
	a := &Adapter{name: name, config: c, model: m, modules: modules}
	for _, mod := range modules {
		if err := mod.allocate(name); err != nil {
			return nil, err
		}
	}
	if err := a.initialise(); err != nil {
		return nil, err
	}
	if err := a.SetTrainable(true); err != nil {
		return nil, err
	}
	a.attach()
	return a, nil
}

// checkNames reports targets and modules to save that name none of the layers.
func (c Config) checkNames(list []layer) error {
	var errs []error
	for _, t := range c.Targets {
		if t != AllLinear && !slices.ContainsFunc(list, func(l layer) bool { return l.kind != norm && l.kind != scorer && named([]string{t}, l.path) }) {
			errs = append(errs, fmt.Errorf("%w: %q", ErrNoTarget, t))
		}
	}
	for _, s := range c.ModulesToSave {
		if !slices.ContainsFunc(list, func(l layer) bool { return strings.HasSuffix(l.path, s) }) {
			errs = append(errs, fmt.Errorf("%w: module to save %q, want a linear layer, a norm, the embedding or the head", ErrNoTarget, s))
		}
	}
	return errors.Join(errs...)
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
		if err := mod.allocate(name); err != nil {
			return nil, err
		}
		source := from.parts()
		for i, p := range mod.parts() {
			copyValues(*p.param, *source[i].param)
		}
		c.modules = append(c.modules, &mod)
	}
	if err := prepareRows(c.modules); err != nil {
		return nil, err
	}
	c.attach()
	return c, nil
}

// attach makes the layers know the adapter.
func (a *Adapter) attach() {
	for _, m := range a.modules {
		m.attach(a.name)
	}
}

// attached is nil while the adapter is one of its model's.
func (a *Adapter) attached() error {
	for _, m := range a.modules {
		if !m.attached(a.name) {
			return fmt.Errorf("%w: %q", ErrDetached, a.name)
		}
	}
	return nil
}

// Remove detaches the adapter from its model, which then computes what it did
// before the adapter came. The adapter's values stay as they are. Clones of an adapter
// that took a part of the base away (Config.Init) must be removed first.
func (a *Adapter) Remove() {
	if a.attached() != nil {
		return
	}
	for _, m := range a.modules {
		m.remove(a.name)
	}
	a.giveBack()
}

// Name is what graphs call the adapter.
func (a *Adapter) Name() string { return a.name }

// Model is the model that the adapter is, or was, attached to.
func (a *Adapter) Model() model.Model { return a.model }

// Config is the adapter's configuration with its defaults filled in.
func (a *Adapter) Config() Config { return a.config }

// Params lists the parameters that training changes layer by layer, in a stable
// order: those of an update, as A, B and B's bias, then a weight and a bias that
// replace the layer's. A of an embedding is (vocabulary, r), the transpose of what a
// file has; vectors of IA³ and AdaLoRA have one dimension.
func (a *Adapter) Params() iter.Seq2[string, *tensor.Param] {
	return func(yield func(string, *tensor.Param) bool) {
		for _, m := range a.modules {
			for _, p := range m.parts() {
				if !p.frozen && (*p.param).Len() > 0 && !yield((*p.param).Name(), *p.param) {
					return
				}
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

// Zero says whether the model computes with the adapter what it does without it, as
// when freshly attached: in every layer A or B is zero and B's bias is, a magnitude is
// the length of the rows, factors are 1, and what replaces parameters is equal to
// them. It is false for an adapter that took a part of the base away (Config.Init).
func (a *Adapter) Zero() bool {
	for _, m := range a.modules {
		if !m.zero() {
			return false
		}
	}
	return true
}
