package train

import (
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/tensor"
)

// Optimizer is the configuration of an update rule: a plain struct that says
// what its zero fields mean. Start turns it into state over parameters.
type Optimizer interface {
	// Name is the rule's name in saved options, for example "adamw".
	Name() string
	// BaseLR is the learning rate that schedules scale.
	BaseLR() float64
	// Validate reports all faults of the configuration at once.
	Validate() error
	// Start allocates the state for the given slots, in their order.
	Start(slots []Slot) (Updater, error)
}

// Slot is one parameter with what its group says about it.
type Slot struct {
	Param Parameter
	// LRFactor multiplies the learning rate.
	LRFactor float64
	// WeightDecay replaces the optimizer's own decay; nil keeps it.
	WeightDecay *float64
}

// Updater is an optimizer's state over a fixed list of parameters. It is not
// safe for concurrent use.
type Updater interface {
	// Update applies optimizer step number step, counted from 1, with the
	// learning rate lr. Gradients are multiplied by gradScale first (clipping)
	// and are not changed. It allocates nothing.
	Update(step int, lr, gradScale float64)
	// State lists the live state tensors in a fixed order. Writing to them
	// restores a saved state.
	State() []StateTensor
}

// DeviceUser is an Updater that can spread its work over a device's cores. It
// must give the same bits with any number of them.
type DeviceUser interface {
	// UseDevice is called once, before the first update.
	UseDevice(d *tensor.Device)
}

// StateTensor is one live tensor of optimizer state, stored in F32, F64 or U8.
type StateTensor struct {
	Name  string // parameter name, a dot, PyTorch's name of the state
	Shape []int
	F32   []float32
	F64   []float64
	U8    []byte
}

// ErrOptions is wrapped by every error about faulty options.
var ErrOptions = errors.New("train: faulty options")

// checkSlots reports parameters an optimizer cannot work on.
func checkSlots(slots []Slot) error {
	var faults []error
	seen := make(map[string]bool, len(slots))
	for _, s := range slots {
		name := s.Param.Name()
		data, grad, data64, grad64 := storage(s.Param)
		n := elements(s.Param.Shape())
		switch {
		case seen[name]:
			faults = append(faults, fmt.Errorf("train: parameter %s: got two of that name, want one", name))
		case len(data)+len(data64) != n:
			faults = append(faults, fmt.Errorf("train: parameter %s: got %d float32 or float64 values, want %d for shape %v", name, len(data)+len(data64), n, s.Param.Shape()))
		case len(grad)+len(grad64) != n:
			faults = append(faults, fmt.Errorf("train: parameter %s: got %d gradient entries, want %d (is it trainable?)", name, len(grad)+len(grad64), n))
		}
		seen[name] = true
	}
	if len(slots) == 0 {
		faults = append(faults, errors.New("train: got no trainable parameter, want at least one"))
	}
	return errors.Join(faults...)
}

// optionFaults wraps the faults of an options struct, or returns nil.
func optionFaults(faults []error) error {
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrOptions, errors.Join(faults...))
}
