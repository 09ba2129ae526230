package rlhf

import "github.com/posttrain/posttrain/tensor"

// RLOO is REINFORCE with the mean reward of the other answers as the baseline
// (advantage.LeaveOneOut), as TRL trains it: a whole answer is one action, its ratio
// W = exp(Σ_t log π/π_old) is clipped as in PPO:
//
//	L = −mean_i min(W_i·A_i, clip(W_i, 1−ε, 1+ε')·A_i)
//
// Ahmadian et al. 2024, "Back to Basics: Revisiting REINFORCE Style Optimization for
// Learning from Human Feedback in LLMs", arXiv:2402.14740 (on-policy, without
// ratio; there the gradient is the same). The ratio takes the sum of log-ratios, that
// of GSPO their mean. The KL to the reference belongs into the reward.
//
// A row without tokens of Mask 1 has the ratio 1.
type RLOO struct {
	Clip Clip `json:"clip,omitzero"` // ε 0.2
}

// Name is "rloo".
func (RLOO) Name() string { return "rloo" }

// Average is MeanOfRows.
func (RLOO) Average() Average { return Average{Over: MeanOfRows} }

// Traits implements Described.
func (RLOO) Traits() Traits { return Traits{Known: true, AtOld: 1} }

// Validate reports a faulty range.
func (l RLOO) Validate() error { return l.Clip.validate("RLOO") }

// Build implements Loss.
func (l RLOO) Build(_ *tensor.Graph, in Tokens) Terms {
	requireLoss(l)
	c := l.Clip.or(defaultClip)
	log := in.LogRatio()
	if in.Keep != nil {
		log = tensor.Mul(log, in.Keep)
	}
	a, w := in.rowAdvantage(), tensor.Exp(in.RowSum(log))
	loss := c.pessimistic(w, a)
	low := tensor.Mul(fallsBelow(w, 1-c.Low), positive(tensor.Neg(a)))
	high := tensor.Mul(exceeds(w, 1+c.High), positive(a))
	return Terms{Row: loss, Metrics: rowClipMetrics(low, high)}
}
