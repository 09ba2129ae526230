package rlhf

import "github.com/posttrain/posttrain/tensor"

// GSPO is group sequence policy optimisation: the clipped surrogate of Clip on the
// ratios of whole rows, W = exp(mean_t log π/π_old), each row weighing the same.
//
// Zheng et al. 2025, "Group Sequence Policy Optimization", arXiv:2507.18071, eq. 5
// and 7; ε 3e-4, ε' 4e-4 (§5.1). The ratio takes the mean of log-ratios; that of RLOO
// takes their sum.
type GSPO struct {
	Clip Clip `json:"clip,omitzero"` // ε 3e-4, ε' 4e-4
	// PerToken is GSPO-token (eq. 13): the value of the row's ratio with the gradient
	// of each token's, for advantages that differ within a row. With equal ones it
	// is the same as GSPO.
	PerToken bool `json:"per_token,omitempty"`
}

// Name is "gspo", or "gspo_token".
func (l GSPO) Name() string {
	if l.PerToken {
		return "gspo_token"
	}
	return "gspo"
}

// Average is MeanOfRows.
func (GSPO) Average() Average { return Average{Over: MeanOfRows} }

// Traits implements Described.
func (l GSPO) Traits() Traits {
	return Traits{Known: true, AtOld: 1, Slope: 1, StopsGradient: l.PerToken}
}

// Validate reports a faulty range.
func (l GSPO) Validate() error { return l.Clip.validate("GSPO") }

// sequenceClip is GSPO's range: ratios of rows move by far less than those of tokens.
var sequenceClip = Clip{Low: 3e-4, High: 4e-4}

// Build implements Loss.
func (l GSPO) Build(_ *tensor.Graph, in Tokens) Terms {
	requireLoss(l)
	level := SequenceLevel
	if l.PerToken {
		level = SequenceTokenLevel
	}
	return l.Clip.or(sequenceClip).surrogate(in, level)
}
