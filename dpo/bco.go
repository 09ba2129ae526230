package dpo

import (
	"math"

	"github.com/posttrain/posttrain/tensor"
)

// BCOPair is binary classifier optimisation on pairs, without the reward shift δ
// that BCO has on unpaired answers:
//
//	L = −log σ(r⁺) − log σ(−r⁻),  r = β·log π(y|x)/π₀(y|x)
//
// Jung et al. 2024, "Binary Classifier Optimization for Large Language Model
// Alignment", arXiv:2404.04656. Options.Divergence has no part in it.
//
// At π = π₀ the loss is 2·ln 2.
type BCOPair struct{}

// Name is "bco_pair".
func (BCOPair) Name() string { return "bco_pair" }

// Traits implements Described.
func (BCOPair) Traits(float64) Traits { return Traits{Known: true, AtReference: 2 * math.Ln2} }

// Build implements Loss.
func (BCOPair) Build(_ *tensor.Graph, in LogProbs) Terms {
	c, r := in.Rewards()
	return Terms{Loss: tensor.Add(nll(c), nll(tensor.Neg(r)))}
}
