package rejection

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/rlhf/rollout"
)

// Regularised is a rewarder that adds to the reward R of another how typical an answer
// is, so that the best of N is not one that only a reward model likes:
//
//	R(y) + β·log π(y)             π is the policy that sampled y
//	R(y) + β/N·Σ_j u(y, y_j)      with Utility u, over the N answers of y's group
//
// The first is the paper's RBoN_KL, whose π is the reference (best of N samples from
// it); the second, minimum Bayes risk, is its RBoN_WD and asks for no probabilities, but
// for N² utilities. Give it to New with Options.Prefer Best, or to a trainer, whose
// policy moves away from π.
//
// Jinnai et al. 2024, "Regularized Best-of-N Sampling with Minimum Bayes Risk Objective
// for Language Model Alignment", arXiv:2404.01054. Deviation: PerToken divides log π by
// the tokens that the policy chose, as sums say more of the length than of the answer.
type Regularised struct {
	By       rollout.Rewarder // R
	Beta     float64          // β, at least 0
	PerToken bool
	// Utility is how much a says of what b does, such as the share of words they have in
	// common; nil takes log-probabilities.
	Utility func(a, b *rollout.Completion) float64
}

var _ rollout.Rewarder = Regularised{}

// Validate reports all faults.
func (r Regularised) Validate() error {
	var faults []error
	if r.By == nil {
		faults = append(faults, fmt.Errorf("%w: Regularised.By: got none, want a rewarder", ErrOptions))
	}
	if !(r.Beta >= 0) || math.IsInf(r.Beta, 0) {
		faults = append(faults, fmt.Errorf("%w: Regularised.Beta: got %g, want a finite number of at least 0", ErrOptions, r.Beta))
	}
	if r.PerToken && r.Utility != nil {
		faults = append(faults, fmt.Errorf("%w: Regularised.PerToken: got it with a Utility, want one of them", ErrOptions))
	}
	return errors.Join(faults...)
}

// Name is that of By.
func (r Regularised) Name() string { return r.By.Name() }

// Rewards implements rollout.Rewarder. A reward that By does not know stays unknown, and
// one is unknown where a log-probability of the sampler is.
func (r Regularised) Rewards(ctx context.Context, list []rollout.Completion) ([]float64, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	rewards, err := r.By.Rewards(ctx, list)
	if len(rewards) != len(list) || r.Beta == 0 {
		return rewards, err
	}
	typical := r.likelihoods
	if r.Utility != nil {
		typical = r.utilities
	}
	out := typical(list)
	for i := range out {
		out[i] = rewards[i] + r.Beta*out[i]
	}
	return out, err
}

// likelihoods are the log-probabilities of completions in nats, of what the policy chose.
func (r Regularised) likelihoods(list []rollout.Completion) []float64 {
	out := make([]float64, len(list))
	for i := range list {
		n := 0.0
		for _, t := range list[i].Tokens {
			if t.Role == rollout.Sampled {
				out[i], n = out[i]+t.LogProb, n+1
			}
		}
		if r.PerToken {
			out[i] /= math.Max(1, n)
		}
	}
	return out
}

// utilities are the mean utilities against all answers of the group, itself included.
func (r Regularised) utilities(list []rollout.Completion) []float64 {
	groups := map[int64][]int{}
	for i := range list {
		groups[list[i].Group] = append(groups[list[i].Group], i)
	}
	out := make([]float64, len(list))
	for i := range list {
		others := groups[list[i].Group]
		for _, j := range others {
			out[i] += r.Utility(&list[i], &list[j]) / float64(len(others))
		}
	}
	return out
}
