package rlhf

import "github.com/posttrain/posttrain/tensor"

// TOPR is tapered off-policy REINFORCE: what was good is learnt in full however unlikely
// it has become, what was bad is unlearnt less the less likely it has become, so that
// nothing is pushed to −∞:
//
//	L = −mean_i c_i·A_i·Σ_t log π(o_it)
//	c_i = 1 where A_i > 0, sg(min(1, Π_t π/π_old)) else
//
// where sg holds the weight constant.
//
// Le Roux et al. 2025, "Tapered Off-Policy REINFORCE: Stable and efficient reinforcement
// learning for LLMs", arXiv:2503.14286, with rewards in the place of A. Corrections for
// the sampler multiply c.
type TOPR struct{}

// Name is "topr".
func (TOPR) Name() string { return "topr" }

// Average is SumOfRows.
func (TOPR) Average() Average { return Average{Over: SumOfRows} }

// Traits implements Described.
func (TOPR) Traits() Traits { return Traits{StopsGradient: true, Slope: 1} }

// Build implements Loss.
func (TOPR) Build(_ *tensor.Graph, in Tokens) Terms {
	w := tensor.Exp(in.RowSum(tensor.Detach(in.LogRatio())))
	good := positive(in.rowAdvantage())
	c := tensor.Add(good, tensor.Mul(choose(good, 0, 1), tensor.Clip(w, 0, 1)))
	return Terms{Token: tensor.Neg(tensor.Mul(tensor.Mul(in.Spread(tensor.Detach(c)), in.Advantage), in.LogProb))}
}
