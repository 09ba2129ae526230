package reward

import (
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/tensor"
)

// Net is a reward model as it is trained: a language model, a head that scores
// its hidden states, and an adapter or none. With an adapter the adapter is
// trained, which must have a copy of the head of its own (lora.Config.ModulesToSave
// with the head's name, such as "score"); else all weights are.
type Net struct {
	Model   model.Model
	Head    *model.Head   // one score, or two classes of which the second is the good one; any labels with Mix
	Adapter *lora.Adapter // attached to Headed(); nil trains Model and Head themselves
	// Mix makes a score of the head's outputs: their sum, each times its weight. Nil
	// takes the only one, or the log-odds of two classes.
	Mix []float64
}

// Headed is the model with its head, to attach an adapter to.
func (n Net) Headed() model.Headed { return model.Headed{Model: n.Model, Score: n.Head} }

// AdapterName is the name of the adapter, "" without one.
func (n Net) AdapterName() string {
	if n.Adapter == nil {
		return ""
	}
	return n.Adapter.Name()
}

// mix are the weights of the head's outputs in a score.
func (n Net) mix() []float64 {
	if n.Mix != nil {
		return n.Mix
	}
	return contrast(n.Head.Linear.Out())
}

// params lists what is trained.
func (n Net) params() []*tensor.Param {
	if n.Adapter != nil {
		return policy.List(n.Adapter.Params())
	}
	return policy.List(n.Headed().Params())
}

// usable refuses what cannot be computed.
func (n Net) usable() error {
	if n.Model == nil || n.Head == nil {
		return errors.New("reward: Net: got no Model or no Head, want both (model.NewHead makes a head)")
	}
	c := n.Head.Linear.Out()
	if n.Mix != nil && len(n.Mix) != c {
		return fmt.Errorf("reward: Net.Mix: got %d weights, want one for each of the head's %d labels", len(n.Mix), c)
	}
	if n.Mix == nil && c != 1 && c != 2 {
		return fmt.Errorf("reward: Net.Head: got %d labels, want 1 (a score) or 2 (wrong and right)", c)
	}
	if n.Adapter == nil || n.Head.Linear.Adapters[n.Adapter.Name()] != nil {
		return nil
	}
	if err := policy.Attached(n.Model, n.Adapter.Name()); err != nil {
		return fmt.Errorf("reward: Net.Adapter: %w", err)
	}
	return nil
}

// check refuses what cannot be trained.
func (n Net) check() error {
	if err := n.usable(); err != nil {
		return err
	}
	if name := n.AdapterName(); name != "" && n.Head.Linear.Replaced[name] == nil && n.Head.Linear.Adapters[name] == nil {
		return fmt.Errorf("reward: Net.Adapter: got %q, which has no copy of the head, want one attached to Net.Headed() with ModulesToSave %q", name, n.Head.Linear.Path)
	}
	if err := policy.Stored(n.params()); err != nil {
		return fmt.Errorf("reward: %w", err)
	}
	return nil
}

// precision is what the model computes in.
func (n Net) precision() tensor.Dtype {
	if n.Model.Embedding().Weight.Dtype() == tensor.Float64 {
		return tensor.Float64
	}
	return tensor.Float32
}
