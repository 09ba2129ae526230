package dpo

import (
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// Hinge asks for a margin of 1 and no more:
//
//	L = max(0, 1 − β·(s⁺ − s⁻))
//
// Liu et al. 2023, "Statistical Rejection Sampling Improves Preference
// Optimization" (RSO), arXiv:2309.06657 (their γ is β), after Zhao et al. 2023,
// "SLiC-HF", arXiv:2305.10425, which has no reference in it.
//
// At π = π₀ the loss is 1.
type Hinge struct{}

// Name is "hinge".
func (Hinge) Name() string { return "hinge" }

// Traits implements Described.
func (Hinge) Traits(float64) Traits { return Traits{Known: true, AtReference: 1} }

// Build implements Loss.
func (Hinge) Build(_ *tensor.Graph, in LogProbs) Terms {
	return Terms{Loss: hinge(in.Margin())}
}

// hinge is max(0, 1 − z).
func hinge(z *tensor.Node) *tensor.Node {
	return tensor.Clip(tensor.AddScalar(tensor.Neg(z), 1), 0, math.Inf(1))
}
