package dpo

import (
	"errors"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// SimPO is simple preference optimisation: the reward of an answer is its mean
// log-probability, and the chosen one is to win by a margin γ; no reference.
//
//	L = −(1−ε)·log σ(z) − ε·log σ(−z),  z = β·(ℓ̄⁺ − ℓ̄⁻) − γ,  ℓ̄ = log π(y|x)/|y|
//
// Meng et al. 2024, "SimPO: Simple Preference Optimization with a Reference-Free
// Reward", arXiv:2405.14734, eq. 6. β is larger than DPO's, 2 to 10 there. The
// label smoothing is TRL's.
//
// Rewards are logged as β·ℓ̄, log-probabilities as ℓ̄, as in TRL. CPO-SimPO is the
// Sum of SimPO and NLL.
type SimPO struct {
	Margin         *float64 `json:"margin,omitempty"`          // γ; nil means 0.5
	LabelSmoothing float64  `json:"label_smoothing,omitempty"` // ε in [0, 0.5)
}

// Name is "simpo".
func (SimPO) Name() string { return "simpo" }

// Traits implements Described.
func (SimPO) Traits(float64) Traits { return Traits{ReferenceFree: true} }

// Validate reports faulty hyperparameters.
func (l SimPO) Validate() error {
	return errors.Join(checkSmoothing("SimPO", l.LabelSmoothing), checkMargin("SimPO", l.Margin))
}

// Build implements Loss.
func (l SimPO) Build(_ *tensor.Graph, in LogProbs) Terms {
	require(l)
	c, r := in.Means()
	z := tensor.AddScalar(tensor.Scale(tensor.Sub(c, r), in.Beta), -marginOf(l.Margin))
	return Terms{Loss: smoothed(z, l.LabelSmoothing)}.log(in.Beta, c, r)
}

// marginOf is γ with its default, 0.5 as in TRL.
func marginOf(m *float64) float64 {
	if m == nil {
		return 0.5
	}
	return *m
}

func checkMargin(loss string, m *float64) error {
	if m != nil && (math.IsNaN(*m) || math.IsInf(*m, 0)) {
		return fmt.Errorf("dpo: %s: Margin is %g, want a finite number", loss, *m)
	}
	return nil
}
