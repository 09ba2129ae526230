package rlhf

import "github.com/posttrain/posttrain/tensor"

// PPO is the policy's part of proximal policy optimisation: the clipped surrogate of
// Clip, averaged over tokens. The denominator of the ratio is the policy that sampled
// the tokens, not the reference (which the survey prints; with it learning stops
// once the policy has left the reference by ε).
//
// Schulman et al. 2017, arXiv:1707.06347, eq. 7. Advantages are advantage.GAE's; the
// critic's part is Value.
type PPO struct {
	Clip  Clip  `json:"clip,omitzero"` // ε 0.2
	Level Level `json:"level,omitempty"`
}

// Name is "ppo".
func (PPO) Name() string { return "ppo" }

// Average is MeanOfTokens.
func (PPO) Average() Average { return Average{} }

// Traits implements Described.
func (PPO) Traits() Traits { return Traits{Known: true, AtOld: 1, Slope: 1} }

// Validate reports a faulty range.
func (l PPO) Validate() error { return l.Clip.validate("PPO") }

// Build implements Loss.
func (l PPO) Build(_ *tensor.Graph, in Tokens) Terms {
	requireLoss(l)
	return l.Clip.or(defaultClip).surrogate(in, l.Level)
}
