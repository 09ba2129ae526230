package ensemble

import (
	"encoding/json"

	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/tensor"
)

// Heads trains every label of a head as a reward model of its own on one trunk: the
// mean of the losses that Loss gives for the scores of each. The reward.Net needs a
// Mix, such as Uniform.
//
// The labels start from different weights and see the same data. Yan et al. 2024,
// arXiv:2409.15360, and Coste et al. 2023 (arXiv:2310.02743) use heads or models
// that differ by their seed alone, too.
type Heads struct {
	Loss reward.Loss // of each label; nil means reward.BradleyTerry{}
}

// Uniform makes the mean of n labels the score: reward.Net.Mix.
func Uniform(n int) []float64 {
	mix := make([]float64, n)
	for i := range mix {
		mix[i] = 1 / float64(n)
	}
	return mix
}

// Alone makes label i of n the score: reward.Net.Mix.
func Alone(i, n int) []float64 {
	mix := make([]float64, n)
	mix[i] = 1
	return mix
}

func (h Heads) each() reward.Loss {
	if h.Loss == nil {
		return reward.BradleyTerry{}
	}
	return h.Loss
}

// Name is "heads_" and the loss's name.
func (h Heads) Name() string { return "heads_" + h.each().Name() }

// Traits are those of the loss.
func (h Heads) Traits() reward.Traits { return h.each().Traits() }

// Validate reports a loss whose numbers make no sense.
func (h Heads) Validate() error {
	if v, ok := h.each().(interface{ Validate() error }); ok {
		return v.Validate()
	}
	return nil
}

// MarshalJSON writes the loss's hyperparameters.
func (h Heads) MarshalJSON() ([]byte, error) { return json.Marshal(h.each()) }

// Build implements reward.Loss.
func (h Heads) Build(g *tensor.Graph, in reward.Scores) reward.Terms {
	n := in.Outputs.Shape()[1]
	var total *tensor.Node
	for i := range n {
		one := in
		one.Row = reward.Contrast(in.Outputs, Alone(i, n))
		one.Answer = tensor.Gather(one.Row, in.Last)
		loss := h.each().Build(g, one).Loss
		if total == nil {
			total = loss
			continue
		}
		total = tensor.Add(total, loss)
	}
	return reward.Terms{Loss: tensor.Scale(total, 1/float64(n))}
}
