package rlhf

import "github.com/posttrain/posttrain/tensor"

// REINFORCE raises the log-probability of what was sampled in proportion to its
// advantage:
//
//	L = −mean_i Σ_t A_it·log π(o_it)
//
// Williams 1992, "Simple statistical gradient-following algorithms for connectionist
// reinforcement learning", Machine Learning 8. Any baseline that does not depend on
// the row may be subtracted in A: a running mean, the reward of the greedy answer
// (self-critical sequence training, ReMax: advantage.Greedy), the mean of the others
// (advantage.LeaveOneOut). It is on-policy: several updates on one batch of samples
// are wrong; PPO corrects for them.
type REINFORCE struct {
	// Averaged is how tokens become one number; nil takes SumOfRows, which gives the
	// gradient of expected reward.
	Averaged *Average `json:"averaged,omitempty"`
}

// Name is "reinforce".
func (REINFORCE) Name() string { return "reinforce" }

// Average is SumOfRows unless Averaged says otherwise.
func (l REINFORCE) Average() Average {
	if l.Averaged != nil {
		return *l.Averaged
	}
	return Average{Over: SumOfRows}
}

// Traits implements Described.
func (REINFORCE) Traits() Traits { return Traits{Slope: 1} }

// Build implements Loss.
func (REINFORCE) Build(_ *tensor.Graph, in Tokens) Terms { return scoreFunction(in) }

// scoreFunction is −A·log π of each token.
func scoreFunction(in Tokens) Terms {
	return Terms{Token: tensor.Neg(tensor.Mul(in.Advantage, in.LogProb))}
}
