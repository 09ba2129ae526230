package rlhf

import "github.com/posttrain/posttrain/tensor"

// LUSPO is length-unbiased sequence policy optimisation: GSPO with each row's term
// multiplied by its length,
//
//	L = mean_i |o_i|·ℓ(W_i)
//
// so that long answers do not learn less.
//
// "Length-Unbiased Sequence Policy Optimization: Revealing and Controlling Response
// Length Variation in RLVR", 2026, arXiv:2602.05261.
type LUSPO struct {
	Clip Clip `json:"clip,omitzero"` // ε 3e-4, ε' 4e-4; with TokenRatios 0.2
	// TokenRatios clips each token's ratio instead, as TRL does unless
	// importance_sampling_level is set: a plain sum over tokens.
	TokenRatios bool `json:"token_ratios,omitempty"`
}

// Name is "luspo".
func (LUSPO) Name() string { return "luspo" }

// Average is SumOfRows.
func (LUSPO) Average() Average { return Average{Over: SumOfRows} }

// Traits implements Described.
func (LUSPO) Traits() Traits { return Traits{Known: true, AtOld: 1, Slope: 1} }

// Validate reports a faulty range.
func (l LUSPO) Validate() error { return l.Clip.validate("LUSPO") }

// Build implements Loss.
func (l LUSPO) Build(_ *tensor.Graph, in Tokens) Terms {
	requireLoss(l)
	if l.TokenRatios {
		return l.Clip.or(defaultClip).surrogate(in, TokenLevel)
	}
	return l.Clip.or(sequenceClip).surrogate(in, SequenceLevel)
}
