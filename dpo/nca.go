package dpo

import (
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// NCA is noise contrastive alignment on pairs. It rates answers one by one and so
// keeps the likelihood of the chosen one from falling:
//
//	L = −log σ(r⁺) − ½·log σ(−r⁺) − ½·log σ(−r⁻),  r = β·log π(y|x)/π₀(y|x)
//
// Chen et al. 2024, "Noise Contrastive Alignment of Language Models with Explicit
// Rewards", arXiv:2402.05369. Options.Divergence has no part in it.
//
// At π = π₀ the loss is 2·ln 2.
type NCA struct{}

// Name is "nca_pair".
func (NCA) Name() string { return "nca_pair" }

// Traits implements Described.
func (NCA) Traits(float64) Traits { return Traits{Known: true, AtReference: 2 * math.Ln2} }

// Build implements Loss.
func (NCA) Build(_ *tensor.Graph, in LogProbs) Terms {
	c, r := in.Rewards()
	noise := tensor.Add(nll(tensor.Neg(c)), nll(tensor.Neg(r)))
	return Terms{Loss: tensor.Add(nll(c), tensor.Scale(noise, 0.5))}
}
