package houlsby

import (
	"errors"
	"fmt"
	"iter"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
)

// ErrNoTarget says that no layer of the model matches the targets.
var ErrNoTarget = errors.New("houlsby: no layer matches the targets")

// Adapter is a set of bottlenecks in the layers of one model.
type Adapter struct {
	name   string
	config Config
	parts  []*bottleneck
}

// Attach adds fresh adapters to m under a name that is not in use. The model
// computes what it did before. All parameters of the adapter are trainable.
//
// Attaching and removing change the model's layers: no graph may be built from
// the model at the same time. Graphs that exist already are not affected.
func Attach(m model.Model, name string, c Config) (*Adapter, error) {
	a, err := newAdapter(m, name, c)
	if err != nil {
		return nil, err
	}
	for _, b := range a.parts {
		if err := b.initialise(c.Seed); err != nil {
			return nil, err
		}
	}
	if err := a.SetTrainable(true); err != nil {
		return nil, err
	}
	a.attach()
	return a, nil
}

// newAdapter makes an adapter with zero values, which is not attached.
func newAdapter(m model.Model, name string, c Config) (*Adapter, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	switch {
	case name == "":
		return nil, errors.New("houlsby: the adapter has no name")
	case model.HasAdapter(m, name), model.VirtualTokens(m, name) > 0:
		return nil, fmt.Errorf("houlsby: the model has an adapter %q already", name)
	}
	c = c.withDefaults()
	act, err := tensor.ParseActivation(c.Activation)
	if err != nil {
		return nil, err
	}
	a := &Adapter{name: name, config: c}
	for path, l := range m.Linears() {
		if !c.adapts(path) {
			continue
		}
		b, err := newBottleneck(l, c.Width, act)
		if err != nil {
			return nil, err
		}
		a.parts = append(a.parts, b)
	}
	if len(a.parts) == 0 {
		return nil, fmt.Errorf("%w: %q", ErrNoTarget, c.Targets)
	}
	return a, nil
}

func (a *Adapter) attach() {
	for _, b := range a.parts {
		if b.layer.Adapters == nil {
			b.layer.Adapters = map[string]nn.Adapter{}
		}
		b.layer.Adapters[a.name] = b
	}
}

// Remove detaches the adapter from its model, which then computes what it did
// before the adapter came. The adapter's values stay as they are.
func (a *Adapter) Remove() {
	for _, b := range a.parts {
		if b.layer.Adapters[a.name] == nn.Adapter(b) {
			delete(b.layer.Adapters, a.name)
		}
	}
}

// Name is what graphs call the adapter.
func (a *Adapter) Name() string { return a.name }

// Config is the adapter's configuration with its defaults filled in.
func (a *Adapter) Config() Config { return a.config }

// Params lists the parameters layer by layer, in a stable order.
func (a *Adapter) Params() iter.Seq2[string, *tensor.Param] {
	return func(yield func(string, *tensor.Param) bool) {
		for _, b := range a.parts {
			for _, p := range b.params() {
				if !yield(p.Name(), p) {
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

// Zero says whether the adapter changes nothing, as it is when freshly attached:
// W_up and its bias are zero in every layer.
func (a *Adapter) Zero() bool {
	for _, b := range a.parts {
		for _, p := range []*tensor.Param{b.up, b.upBias} {
			for _, x := range p.Float32s() {
				if x != 0 {
					return false
				}
			}
		}
	}
	return true
}
