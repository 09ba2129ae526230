package rlhf

import "github.com/posttrain/posttrain/tensor"

// DAPO is decoupled clip and dynamic sampling policy optimisation: the clipped
// surrogate of Clip with more room upwards, averaged over tokens.
//
// Yu et al. 2025, "DAPO: An Open-Source LLM Reinforcement Learning System at Scale",
// arXiv:2503.14476, eq. 8: ε 0.2, ε' 0.28. What else the paper changes stands
// elsewhere: dynamic sampling in rlhf/rollout, the soft overlong punishment in
// reward.Overlong.
//
// The mean is over all tokens of the optimizer step, in whatever micro-batches they
// come. TRL 1.16 divides by the tokens of the generation batch; the paper's eq. 8 by
// those of a prompt's group, which is Groups here.
type DAPO struct {
	Clip  Clip  `json:"clip,omitzero"` // ε 0.2, ε' 0.28
	Level Level `json:"level,omitempty"`
	// Groups takes the mean of each group's tokens first (MeanOfGroups).
	Groups bool `json:"groups,omitempty"`
}

// Name is "dapo".
func (DAPO) Name() string { return "dapo" }

// Average is MeanOfTokens or MeanOfGroups.
func (l DAPO) Average() Average {
	if l.Groups {
		return Average{Over: MeanOfGroups}
	}
	return Average{}
}

// Traits implements Described.
func (DAPO) Traits() Traits { return Traits{Known: true, AtOld: 1, Slope: 1} }

// Validate reports a faulty range.
func (l DAPO) Validate() error { return l.Clip.validate("DAPO") }

// Build implements Loss.
func (l DAPO) Build(_ *tensor.Graph, in Tokens) Terms {
	requireLoss(l)
	return l.Clip.or(Clip{Low: 0.2, High: 0.28}).surrogate(in, l.Level)
}
