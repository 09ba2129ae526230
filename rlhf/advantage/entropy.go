package advantage

import (
	"math"
	"slices"
)

// TopEntropy marks the share q of the tokens of mask 1 at which the policy was least
// sure: 1 where the entropy is at least the (1−q)-quantile of theirs, interpolated
// linearly, and 0 elsewhere. Only they then teach the policy.
//
// Wang et al. 2025, "Beyond the 80/20 Rule: High-Entropy Minority Tokens Drive Effective
// Reinforcement Learning for LLM Reasoning", arXiv:2506.01939: q = 0.2. The paper, and
// TRL, take the quantile of each micro-batch; pass the tokens of a whole optimizer step
// for a result that does not depend on how it is cut.
func TopEntropy(entropy, mask []float64, q float64) []float64 {
	var active []float64
	for i, e := range entropy {
		if mask[i] != 0 {
			active = append(active, e)
		}
	}
	out := make([]float64, len(entropy))
	if len(active) == 0 {
		return out
	}
	slices.Sort(active)
	least := quantile(active, 1-q)
	for i, e := range entropy {
		if mask[i] != 0 && e >= least {
			out[i] = 1
		}
	}
	return out
}

// quantile interpolates linearly between the sorted x, as numpy and torch do.
func quantile(x []float64, p float64) float64 {
	at := p * float64(len(x)-1)
	i := int(math.Floor(at))
	if i+1 >= len(x) {
		return x[len(x)-1]
	}
	return x[i] + (at-float64(i))*(x[i+1]-x[i])
}
