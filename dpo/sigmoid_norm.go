package dpo

import (
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// SigmoidNorm is DPO on scores per token, which takes the reward for length out:
//
//	L = −log σ(β·(s⁺/|y⁺| − s⁻/|y⁻|))
//
// Lambert et al. 2024, "Tulu 3: Pushing Frontiers in Open Language Model
// Post-Training", arXiv:2411.15124. β is larger than DPO's, 5 there.
//
// At π = π₀ the loss is ln 2.
type SigmoidNorm struct{}

// Name is "sigmoid_norm".
func (SigmoidNorm) Name() string { return "sigmoid_norm" }

// Traits implements Described.
func (SigmoidNorm) Traits(float64) Traits { return Traits{Known: true, AtReference: math.Ln2} }

// Build implements Loss.
func (SigmoidNorm) Build(_ *tensor.Graph, in LogProbs) Terms {
	return Terms{Loss: nll(in.MeanMargin())}
}
