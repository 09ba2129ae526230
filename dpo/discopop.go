package dpo

import (
	"fmt"
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// DiscoPOP is the log-ratio modulated loss that a language model found: logistic
// for negative margins, exponential for positive ones:
//
//	L = (1−g)·(−log σ(z)) + g·e^(−z),  z = β·(s⁺ − s⁻), g = σ(z/τ)
//
// Lu et al. 2024, "Discovering Preference Optimization Algorithms with and for
// Large Language Models", arXiv:2406.08414, eq. 5.
//
// At π = π₀ the loss is (ln 2 + 1)/2. The product g·e^(−z) is computed as one
// exponential, which stays finite where e^(−z) alone does not.
type DiscoPOP struct {
	Temperature float64 `json:"temperature,omitempty"` // τ > 0; 0 means 0.05, the paper's
}

// Name is "discopop".
func (DiscoPOP) Name() string { return "discopop" }

// Traits implements Described.
func (DiscoPOP) Traits(float64) Traits { return Traits{Known: true, AtReference: (math.Ln2 + 1) / 2} }

// Validate reports a faulty temperature.
func (l DiscoPOP) Validate() error {
	if !(l.Temperature >= 0) || math.IsInf(l.Temperature, 0) {
		return fmt.Errorf("dpo: DiscoPOP: Temperature is %g, want a positive number, or 0 for 0.05", l.Temperature)
	}
	return nil
}

// Build implements Loss.
func (l DiscoPOP) Build(_ *tensor.Graph, in LogProbs) Terms {
	require(l)
	tau := l.Temperature
	if tau == 0 {
		tau = 0.05
	}
	z := in.Margin()
	sharp := tensor.Scale(z, 1/tau)
	logistic := tensor.Mul(tensor.Sigmoid(tensor.Neg(sharp)), nll(z))
	exponential := tensor.Exp(tensor.Sub(tensor.LogSigmoid(sharp), z))
	return Terms{Loss: tensor.Add(logistic, exponential)}
}
