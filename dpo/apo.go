package dpo

import "github.com/posttrain/posttrain/tensor"

// APOZero is anchored preference optimisation for a policy that is worse than the
// chosen answers: the likelihood of those is to rise, of the rejected to fall.
//
//	L = 1 − σ(r⁺) + σ(r⁻),  r = β·log π(y|x)/π₀(y|x)
//
// D'Oosterlinck et al. 2024, "Anchored Preference Optimization and Contrastive
// Revisions: Addressing Underspecification in Alignment", arXiv:2408.06266, eq. 7.
// Options.Divergence has no part in it.
//
// At π = π₀ the loss is 1.
type APOZero struct{}

// Name is "apo_zero".
func (APOZero) Name() string { return "apo_zero" }

// Traits implements Described.
func (APOZero) Traits(float64) Traits { return Traits{Known: true, AtReference: 1} }

// Build implements Loss.
func (APOZero) Build(_ *tensor.Graph, in LogProbs) Terms {
	c, r := in.Rewards()
	return Terms{Loss: tensor.Add(tensor.Sigmoid(tensor.Neg(c)), tensor.Sigmoid(r))}
}

// APODown is anchored preference optimisation for a policy that is better than
// the chosen answers: both likelihoods are to fall, that of the rejected more.
//
//	L = σ(r⁺) + 1 − σ(r⁺ − r⁻),  r = β·log π(y|x)/π₀(y|x)
//
// D'Oosterlinck et al. 2024, arXiv:2408.06266, eq. 8. Options.Divergence has no
// part in it.
//
// At π = π₀ the loss is 1.
type APODown struct{}

// Name is "apo_down".
func (APODown) Name() string { return "apo_down" }

// Traits implements Described.
func (APODown) Traits(float64) Traits { return Traits{Known: true, AtReference: 1} }

// Build implements Loss.
func (APODown) Build(_ *tensor.Graph, in LogProbs) Terms {
	c, r := in.Rewards()
	return Terms{Loss: tensor.Add(tensor.Sigmoid(c), tensor.Sigmoid(tensor.Sub(r, c)))}
}
