package advantage

import "math"

// Sum adds the rewards of several functions up, weighted: rewards[k] are those of
// function k for each row. A function that knows no reward for a row (NaN) counts as 0
// there; where none does, the sum is NaN.
func Sum(rewards [][]float64, weights []float64) []float64 {
	if len(rewards) == 0 {
		return nil
	}
	out := make([]float64, len(rewards[0]))
	for i := range out {
		out[i] = math.NaN()
		for k, r := range rewards {
			switch {
			case math.IsNaN(r[i]):
			case math.IsNaN(out[i]):
				out[i] = weights[k] * r[i]
			default:
				out[i] += weights[k] * r[i]
			}
		}
	}
	return out
}

// NormalizeThenSum standardises the rewards of each function within the groups first,
// adds them up, weighted, and standardises the sums over the batch, so that a function
// of large numbers does not drown the others. Every division is by the deviation plus
// epsilon (0: DefaultEpsilon).
//
// Liu et al. 2026, "GDPO: Group reward-Decoupled Normalization Policy Optimization for
// Multi-reward RL Optimization", arXiv:2601.05242.
func NormalizeThenSum(rewards [][]float64, weights []float64, groups []int, epsilon float64) []float64 {
	each := make([][]float64, len(rewards))
	for k, r := range rewards {
		each[k] = Group(r, groups, GroupOptions{Epsilon: epsilon}).Advantages
		for i := range r {
			if math.IsNaN(r[i]) {
				each[k][i] = math.NaN()
			}
		}
	}
	return Standardize(Sum(each, weights), epsilon)
}

// Standardize subtracts the mean of the rows and divides by their deviation, over n−1,
// plus epsilon (0: DefaultEpsilon). NaN becomes 0.
func Standardize(x []float64, epsilon float64) []float64 {
	if epsilon == 0 {
		epsilon = DefaultEpsilon
	}
	m := momentsOf(x)
	out := make([]float64, len(x))
	for i, v := range x {
		if a := (v - m.mean) / (m.std() + epsilon); !math.IsNaN(a) && !m.constant {
			out[i] = a
		}
	}
	return out
}

// Clip limits rewards to [lo, hi]: raw rewards, before any baseline, so that how far a
// reward lies outside does not matter. NaN stays NaN.
func Clip(rewards []float64, lo, hi float64) []float64 {
	out := make([]float64, len(rewards))
	for i, r := range rewards {
		out[i] = r
		if r < lo {
			out[i] = lo
		} else if r > hi {
			out[i] = hi
		}
	}
	return out
}

// Bounded is σ(r − reference) of each reward, with the reward of a reference answer to the
// same prompt: between 0 and 1, steep where an answer is about as good as the reference
// and flat where a reward model is far from what it knows. NaN stays NaN.
//
// Fu et al. 2025, "Reward Shaping to Mitigate Reward Hacking in RLHF", arXiv:2502.18770.
func Bounded(rewards, reference []float64) []float64 {
	out := make([]float64, len(rewards))
	for i, r := range rewards {
		out[i] = 1 / (1 + math.Exp(reference[i]-r))
	}
	return out
}

// Spread puts a number of each row at each of its tokens of mask 1, and 0 elsewhere.
func Spread(rows []float64, mask [][]float64) [][]float64 {
	out := make([][]float64, len(mask))
	for i, m := range mask {
		out[i] = make([]float64, len(m))
		for t, on := range m {
			if on != 0 {
				out[i][t] = rows[i]
			}
		}
	}
	return out
}
