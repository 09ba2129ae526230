package dpo

import (
	"fmt"
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// Positive is DPO-Positive, which does not let the chosen answer become less likely
// than the reference finds it, as DPO may while the margin grows:
//
//	L = −log σ(β·(s⁺ − s⁻ − λ·max(0, −ℓ⁺))),  ℓ⁺ = log π(y⁺|x)/π₀(y⁺|x)
//
// Pal et al. 2024, "Smaug: Fixing Failure Modes of Preference Optimisation with
// DPO-Positive", arXiv:2402.13228, eq. 3.
//
// At π = π₀ the loss is ln 2.
type Positive struct {
	Penalty float64 `json:"penalty,omitempty"` // λ; 0 means 50, the paper's
}

// Name is "dpop".
func (Positive) Name() string { return "dpop" }

// Traits implements Described.
func (Positive) Traits(float64) Traits { return Traits{Known: true, AtReference: math.Ln2} }

// Validate reports a faulty penalty.
func (l Positive) Validate() error {
	if !(l.Penalty >= 0) || math.IsInf(l.Penalty, 0) {
		return fmt.Errorf("dpo: Positive: Penalty is %g, want a positive number, or 0 for 50", l.Penalty)
	}
	return nil
}

// Build implements Loss.
func (l Positive) Build(_ *tensor.Graph, in LogProbs) Terms {
	require(l)
	lambda := l.Penalty
	if lambda == 0 {
		lambda = 50
	}
	fallen := tensor.Clip(tensor.Neg(in.ChosenRatio), 0, math.Inf(1))
	return Terms{Loss: nll(tensor.Sub(in.Margin(), tensor.Scale(fallen, lambda*in.Beta)))}
}
