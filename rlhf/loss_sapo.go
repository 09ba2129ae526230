package rlhf

import (
	"fmt"

	"github.com/posttrain/posttrain/tensor"
)

// SAPO is soft adaptive policy optimisation: a smooth gate in the place of a hard clip,
//
//	ℓ = −A·(4/τ)·σ(τ·(w − 1)),  τ = Up where A > 0, Down else
//
// whose slope is 1 at w = 1 and falls off on both sides.
//
// Gao et al. 2025, "Soft Adaptive Policy Optimization", arXiv:2511.20347:
// τ 1.0 and 1.05.
type SAPO struct {
	Up    float64 `json:"up,omitempty"`   // τ where A > 0: 1
	Down  float64 `json:"down,omitempty"` // τ where A ≤ 0: 1.05
	Level Level   `json:"level,omitempty"`
}

// Name is "sapo".
func (SAPO) Name() string { return "sapo" }

// Average is MeanOfRows.
func (SAPO) Average() Average { return Average{Over: MeanOfRows} }

// Traits implements Described.
func (SAPO) Traits() Traits { return Traits{Slope: 1} }

// Validate reports faulty temperatures.
func (l SAPO) Validate() error {
	if !(l.Up >= 0) || !(l.Down >= 0) {
		return fmt.Errorf("rlhf: SAPO: got Up %g and Down %g, want more than 0 (0 takes the default)", l.Up, l.Down)
	}
	return nil
}

// Build implements Loss.
func (l SAPO) Build(_ *tensor.Graph, in Tokens) Terms {
	requireLoss(l)
	up, down := orDefault(l.Up, 1), orDefault(l.Down, 1.05)
	w := in.Ratio(l.Level)
	gate := func(tau float64) *tensor.Node {
		return tensor.Scale(tensor.Sigmoid(tensor.Scale(tensor.AddScalar(w, -1), tau)), 4/tau)
	}
	rising := positive(in.Advantage)
	gated := tensor.Add(tensor.Mul(rising, gate(up)), tensor.Mul(choose(rising, 0, 1), gate(down)))
	return Terms{Token: tensor.Neg(tensor.Mul(gated, in.Advantage)), Ratio: w}
}

// orDefault is v, or d where v is 0.
func orDefault(v, d float64) float64 {
	if v == 0 {
		return d
	}
	return v
}
