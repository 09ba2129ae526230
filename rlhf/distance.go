package rlhf

import (
	"math"

	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/train"
)

// bookDistance logs how far a rollout's policy is from the reference, and what that
// costs: sums over completions of the tokens that count.
func (s *stage) bookDistance(m *train.Metrics) {
	r := s.roll
	n := float64(len(r.Completions))
	var kl, penalty, surprise, tokens float64
	all := true
	for _, c := range r.Completions {
		all = all && c.Old != nil && c.Ref != nil
		for t := range c.Tokens {
			if !s.counts(c, t) {
				continue
			}
			lp := c.Tokens[t].SamplerLogProb
			if c.Old != nil {
				lp = c.Old[t]
			}
			surprise -= lp
			tokens++
			if all {
				kl += c.Old[t] - c.Ref[t]
			}
		}
		if k := s.opts.KLInReward; all && k.Coef != 0 {
			for _, p := range k.penalty(c, s.mask(c), s.paid) {
				penalty -= p
			}
		}
	}
	if !math.IsNaN(surprise) && tokens > 0 {
		m.Set("objective/entropy", surprise/n)
	}
	if !all {
		return
	}
	m.Set("objective/kl", kl/n)
	if s.opts.KLInReward.Coef != 0 {
		m.Set("objective/non_score_reward", penalty/n)
		if reward, ok := meanReward(r.Completions); ok {
			m.Set("objective/rlhf_reward", reward+penalty/n)
		}
	}
}

// meanReward is that of the completions whose reward is known.
func meanReward(list []*rollout.Completion) (mean float64, ok bool) {
	sum, n := 0.0, 0.0
	for _, c := range list {
		if !math.IsNaN(c.Reward) {
			sum += c.Reward
			n++
		}
	}
	return sum / n, n > 0
}
