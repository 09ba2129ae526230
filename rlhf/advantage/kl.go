package advantage

import "math"

// K1 is the estimate d of KL(p‖q) from one sample of p, d = log p − log q: unbiased and
// often negative. (Schulman 2020, "Approximating KL Divergence",
// http://joschu.net/blog/kl-approx.html.)
func K1(d float64) float64 { return d }

// K2 is d²/2: biased, never negative.
func K2(d float64) float64 { return d * d / 2 }

// K3 is e^(−d) − 1 + d: unbiased, never negative.
func K3(d float64) float64 { return math.Expm1(-d) + d }

// Clamped limits an estimate to ±limit, as verl (10, K3 only) and OpenRLHF (10) do.
func Clamped(estimate func(d float64) float64, limit float64) func(d float64) float64 {
	return func(d float64) float64 { return math.Max(-limit, math.Min(limit, estimate(d))) }
}

// KLPenalty is the distance to a reference as a part of the reward.
type KLPenalty struct {
	Beta     float64                 // β
	Estimate func(d float64) float64 // nil: K1
}

// Rewards are those of each token: −β·kl(log π − log π₀) at tokens of mask 1, and the
// completion's score at the last of them. Rows are ragged; a row without tokens of mask 1
// has no reward.
//
// Ziegler et al. 2019, "Fine-Tuning Language Models from Human Preferences",
// arXiv:1909.08593, eq. 2.
func (k KLPenalty) Rewards(scores []float64, logProb, ref, mask [][]float64) [][]float64 {
	estimate := k.Estimate
	if estimate == nil {
		estimate = K1
	}
	out := make([][]float64, len(scores))
	for i := range scores {
		out[i] = make([]float64, len(mask[i]))
		last := -1
		for t, on := range mask[i] {
			if on == 0 {
				continue
			}
			last = t
			if k.Beta != 0 {
				out[i][t] = -k.Beta * estimate(logProb[i][t]-ref[i][t])
			}
		}
		if last >= 0 && !math.IsNaN(scores[i]) {
			out[i][last] += scores[i]
		}
	}
	return out
}

// ToGo is the discounted sum of the rewards from each token of mask 1 on. Tokens of
// mask 0 (tool output) get 0, are passed over and cost no discount.
func ToGo(rewards, mask [][]float64, gamma float64) [][]float64 {
	out := make([][]float64, len(rewards))
	for i := range rewards {
		out[i] = make([]float64, len(rewards[i]))
		sum := 0.0
		for t := len(rewards[i]) - 1; t >= 0; t-- {
			if mask[i][t] != 0 {
				sum = rewards[i][t] + gamma*sum
				out[i][t] = sum
			}
		}
	}
	return out
}
