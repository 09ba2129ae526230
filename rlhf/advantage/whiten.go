package advantage

import "math"

// WhitenOptions are those of Whiten. The zero value subtracts the mean and divides by
// the deviation over n, √(variance + 1e-8).
type WhitenOptions struct {
	Unbiased bool // variance over n−1, as TRL's PPO
	KeepMean bool // (x − mean)/deviation + mean, as TRL's whiten_rewards
}

// whitenEpsilon stands inside the root.
const whitenEpsilon = 1e-8

// Whiten gives the tokens of mask 1 of the whole batch the mean 0 and the variance 1.
// The others become 0.
func Whiten(x, mask [][]float64, o WhitenOptions) [][]float64 {
	var flat []float64
	for i := range x {
		for t, on := range mask[i] {
			if on != 0 {
				flat = append(flat, x[i][t])
			}
		}
	}
	m := momentsOf(flat)
	n := m.n
	if o.Unbiased {
		n = math.Max(1, n-1)
	}
	scale, around := 1/math.Sqrt(m.squares/n+whitenEpsilon), 0.0
	if o.KeepMean {
		around = m.mean
	}
	out := make([][]float64, len(x))
	for i := range x {
		out[i] = make([]float64, len(x[i]))
		for t, on := range mask[i] {
			if on != 0 {
				out[i][t] = (x[i][t]-m.mean)*scale + around
			}
		}
	}
	return out
}

// ReinforcePP is REINFORCE++: rewards of tokens to go, whitened over all tokens of the
// batch. The rewards are KLPenalty's.
//
// Hu et al. 2025, "REINFORCE++: Stabilizing Critic-Free Policy Optimization with Global
// Advantage Normalization", arXiv:2501.03262.
func ReinforcePP(rewards, mask [][]float64, gamma float64) [][]float64 {
	return Whiten(ToGo(rewards, mask, gamma), mask, WhitenOptions{})
}

// ReinforcePPBaseline is REINFORCE++ with baseline: the reward minus the mean of its
// group, on each token, whitened over all tokens of the batch (arXiv:2501.03262).
func ReinforcePPBaseline(scores []float64, groups []int, mask [][]float64) [][]float64 {
	centred := Group(scores, groups, GroupOptions{Scale: NoScale}).Advantages
	return Whiten(Spread(centred, mask), mask, WhitenOptions{})
}
