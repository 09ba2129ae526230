package oreo

import (
	"errors"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
)

// Options control the computation; the loop has options of its own (train.Options).
// The zero value is the token level with the paper's β and α.
type Options struct {
	// Level says what an action is.
	Level Level `json:"level,omitempty"`
	// Beta is β, the weight of the KL regularisation in the optimum; 0 means 0.03.
	Beta float64 `json:"beta,omitempty"`
	// Regularisation is α, the weight of the exact KL of the policy to the reference
	// that is added to the policy's loss, a mean over tokens; nil means the paper's
	// 0.01 for tokens, 0.1 for steps and 0.3 for responses.
	Regularisation *float64 `json:"regularisation,omitempty"`
	// ValueWeight multiplies the value's loss; 0 means 1. It only matters beside
	// Adam's scale-free steps through gradient clipping.
	ValueWeight float64 `json:"value_weight,omitempty"`
	// Head is the value head, of kind model.Value; nil means a fresh one, all zero.
	Head *model.Head `json:"-"`
	// Critic is the policy's model with another adapter, whose hidden states the head
	// reads and which learns with it. Without a Model they are the policy's, as
	// constants.
	Critic dpo.Policy `json:"-"`
	// Reference is what the policy is compared with. Cached, File and Sync are not
	// for this package; with another model Regularisation must be 0.
	Reference dpo.Reference `json:"-"`
	// BaseModel is the name of the base model in adapter_config.json.
	BaseModel string `json:"-"`
	// Recompute saves memory by computing each layer again in the backward pass.
	Recompute bool `json:"recompute,omitempty"`
	// Device computes; nil means tensor.DefaultDevice.
	Device *tensor.Device `json:"-"`
	// Debug selects expensive checks.
	Debug tensor.Debug `json:"-"`
}

// Validate reports every fault at once.
func (o Options) Validate() error {
	var faults []error
	bad := func(format string, args ...any) { faults = append(faults, fmt.Errorf("oreo: "+format, args...)) }
	if o.Level > ResponseLevel {
		bad("Level: got %v, want TokenLevel, StepLevel or ResponseLevel", o.Level)
	}
	for _, f := range []struct {
		name string
		v    float64
	}{{"Beta", o.Beta}, {"ValueWeight", o.ValueWeight}} {
		if !(f.v >= 0) || math.IsInf(f.v, 0) {
			bad("%s: got %g, want a positive number, or 0 for the default", f.name, f.v)
		}
	}
	if a := o.Regularisation; a != nil && (!(*a >= 0) || math.IsInf(*a, 0)) {
		bad("Regularisation: got %g, want 0 or more", *a)
	}
	if o.Head != nil && (o.Head.Kind != model.Value || o.Head.Linear == nil) {
		bad("Head: got a head of kind %v, want model.Value", o.Head.Kind)
	}
	if r := o.Reference; r.Cached || r.File != "" || r.Sync.Every != 0 {
		bad("Reference: got Cached, File or Sync, want none of them: the exact KL needs the reference's whole distribution")
	}
	if o.Critic.Model == nil && o.Critic.Adapter != nil {
		bad("Critic: got an adapter without Model, want the model it is attached to")
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("%w: %w", dpo.ErrOptions, err)
	}
	return nil
}

// withDefaults fills in what was left out.
func (o Options) withDefaults() Options {
	if o.Beta == 0 {
		o.Beta = 0.03
	}
	if o.ValueWeight == 0 {
		o.ValueWeight = 1
	}
	if o.Regularisation == nil {
		o.Regularisation = new([...]float64{0.01, 0.1, 0.3}[o.Level])
	}
	return o
}
