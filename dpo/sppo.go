package dpo

import "github.com/posttrain/posttrain/tensor"

// SPPO is self-play preference optimisation with hard labels: the chosen answer
// wins against the policy with probability 1, the rejected one with 0:
//
//	L = (ℓ⁺ − 1/(2β))² + (ℓ⁻ + 1/(2β))²,  ℓ = log π(y|x)/π₀(y|x)
//
// Wu et al. 2024, "Self-Play Preference Optimization for Language Model
// Alignment", arXiv:2405.00675, eq. 4.7 (β is 1/η). Options.Divergence has no part
// in it.
//
// At π = π₀ the loss is 1/(2β²).
type SPPO struct{}

// Name is "sppo_hard".
func (SPPO) Name() string { return "sppo_hard" }

// Traits implements Described.
func (SPPO) Traits(beta float64) Traits {
	return Traits{Known: true, AtReference: 1 / (2 * beta * beta)}
}

// Build implements Loss.
func (SPPO) Build(_ *tensor.Graph, in LogProbs) Terms {
	goal := 1 / (2 * in.Beta)
	return Terms{Loss: tensor.Add(
		squareTo(in.ChosenRatio, goal),
		squareTo(in.RejectedRatio, -goal),
	)}
}
