package dpo

import (
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// Robust is DPO made unbiased for labels that are flipped with probability ε:
//
//	L = [−(1−ε)·log σ(z) + ε·log σ(−z)] / (1−2ε),  z = β·(s⁺ − s⁻)
//
// Chowdhury et al. 2024, "Provably Robust DPO: Aligning Language Models with
// Noisy Feedback", arXiv:2403.00409.
//
// At π = π₀ the loss is ln 2. It is not bounded below: a mislabelled pair with a
// large margin has a loss far below 0.
type Robust struct {
	LabelSmoothing float64 `json:"label_smoothing,omitempty"` // ε in [0, 0.5); 0, TRL's default, is Sigmoid
}

// Name is "robust".
func (Robust) Name() string { return "robust" }

// Traits implements Described.
func (Robust) Traits(float64) Traits { return Traits{Known: true, AtReference: math.Ln2} }

// Validate reports a faulty smoothing.
func (l Robust) Validate() error { return checkSmoothing("Robust", l.LabelSmoothing) }

// Build implements Loss.
func (l Robust) Build(_ *tensor.Graph, in LogProbs) Terms {
	require(l)
	z, eps := in.Margin(), l.LabelSmoothing
	if eps == 0 {
		return Terms{Loss: nll(z)}
	}
	scale := 1 / (1 - 2*eps)
	return Terms{Loss: tensor.Sub(tensor.Scale(nll(z), (1-eps)*scale), tensor.Scale(nll(tensor.Neg(z)), eps*scale))}
}
