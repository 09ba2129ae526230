package rlhf

import (
	"fmt"
	"math"

	"github.com/posttrain/posttrain/rlhf/advantage"
	"github.com/posttrain/posttrain/rlhf/rollout"
)

// Scored are the completions of a rollout, its rows, with all that their advantages
// are made of. Token values are ragged, one list a row.
type Scored struct {
	Rows   []*rollout.Completion
	Groups []int // of each row
	// Rewards are those of the rows: weighted sums, clipped, without the KL; NaN where
	// none is known.
	Rewards []float64
	// Greedy is the reward of the greedy completion of each row's prompt, with
	// rollout.Options.Greedy; else nil.
	Greedy []float64
	// Parts are the rewards of each rewarder, before weights, for each row.
	Parts   [][]float64
	Weights []float64 // of the rewarders
	// Mask is 1 for tokens that the policy is to learn from and 0 for others.
	Mask [][]float64
	// Penalty is the KL in the reward at each token, in units of reward; nil without.
	Penalty [][]float64
}

// AdvantageEstimator says how rewards become advantages.
type AdvantageEstimator interface {
	// Name identifies the estimator in saved options.
	Name() string
	// Advantages returns one number a token of each row, 0 where nothing is to be
	// learnt.
	Advantages(in Scored) ([][]float64, error)
}

// Returns are the rewards of the rows less the KL of all their tokens.
func (in *Scored) Returns() []float64 {
	out := append([]float64{}, in.Rewards...)
	for i := range in.Penalty {
		for _, p := range in.Penalty[i] {
			out[i] -= p
		}
	}
	return out
}

// TokenRewards are the rewards of tokens: the row's own at the last token of Mask 1,
// less the KL of each.
func (in *Scored) TokenRewards() [][]float64 {
	out := advantage.KLPenalty{}.Rewards(in.Rewards, in.Mask, in.Mask, in.Mask)
	for i := range in.Penalty {
		for t, p := range in.Penalty[i] {
			out[i][t] -= p
		}
	}
	return out
}

// Lengths are the numbers of tokens of Mask 1.
func (in *Scored) Lengths() []float64 {
	out := make([]float64, len(in.Mask))
	for i, m := range in.Mask {
		for _, on := range m {
			out[i] += on
		}
	}
	return out
}

// KLInReward is β·KL(π_old‖π₀), estimated at each token and taken off its reward.
type KLInReward struct {
	Coef      float64   `json:"coef,omitempty"`
	Estimator Estimator `json:"estimator,omitempty"` // K1 is usual (RLOO, PPO); the zero value is K3
}

// Validate reports faulty numbers.
func (k KLInReward) Validate() error {
	if !(k.Coef >= 0) || math.IsInf(k.Coef, 0) {
		return fmt.Errorf("rlhf: KLInReward.Coef: got %g, want a finite number of at least 0", k.Coef)
	}
	if k.Estimator != K1 && k.Estimator != K2 && k.Estimator != K3 {
		return fmt.Errorf("rlhf: KLInReward.Estimator: got %d, want K1, K2 or K3", k.Estimator)
	}
	return nil
}

// penalty is that of each token of a completion; factor adapts β.
func (k KLInReward) penalty(c *rollout.Completion, mask []float64, factor float64) []float64 {
	estimate := advantage.K3
	switch k.Estimator {
	case K1:
		estimate = advantage.K1
	case K2:
		estimate = advantage.K2
	}
	out := make([]float64, len(c.Tokens))
	for t := range out {
		if mask[t] != 0 {
			out[t] = factor * k.Coef * estimate(c.Old[t]-c.Ref[t])
		}
	}
	return out
}

// RewardClip limits rewards, as they come from the rewarders, to [Low, High]. The zero
// value does not.
type RewardClip struct {
	Low  float64 `json:"low,omitempty"`
	High float64 `json:"high,omitempty"`
}

// Validate reports an empty range.
func (c RewardClip) Validate() error {
	if c != (RewardClip{}) && !(c.Low < c.High) {
		return fmt.Errorf("rlhf: RewardClip: got %g to %g, want Low < High", c.Low, c.High)
	}
	return nil
}

// scored collects what advantages are made of.
func (s *stage) scored() Scored {
	in := Scored{Rows: s.roll.Completions, Weights: s.weights, Parts: make([][]float64, len(s.weights))}
	for _, c := range in.Rows {
		mask := s.mask(c)
		in.Groups = append(in.Groups, int(c.Group))
		in.Rewards = append(in.Rewards, c.Reward)
		in.Mask = append(in.Mask, mask)
		for k := range in.Parts {
			in.Parts[k] = append(in.Parts[k], c.Rewards[k])
		}
		if k := s.opts.KLInReward; k.Coef != 0 {
			in.Penalty = append(in.Penalty, k.penalty(c, mask, s.control.KL))
		}
	}
	baseline := map[int64]float64{}
	for _, c := range s.roll.Greedy {
		baseline[c.Group] = c.Reward
	}
	for _, c := range in.Rows {
		if v, ok := baseline[c.Group]; ok {
			in.Greedy = append(in.Greedy, v)
		}
	}
	if r := s.opts.RewardClip; r != (RewardClip{}) {
		in.Rewards, in.Greedy = advantage.Clip(in.Rewards, r.Low, r.High), advantage.Clip(in.Greedy, r.Low, r.High)
	}
	return in
}

// estimate fills the advantages.
func (s *stage) estimate() error {
	in, name := s.scored(), s.opts.Advantages.Name()
	if err := s.opts.Constraints.apply(&s.control, s.roll.Names, &in); err != nil {
		return err
	}
	list, err := s.advantages(in)
	if err != nil {
		return fmt.Errorf("rlhf: advantages %s: %w", name, err)
	}
	if len(list) != len(in.Rows) {
		return fmt.Errorf("rlhf: advantages %s: got %d rows, want %d", name, len(list), len(in.Rows))
	}
	for i, c := range in.Rows {
		if len(list[i]) != len(c.Tokens) {
			return fmt.Errorf("rlhf: advantages %s: got %d for completion %d, want one for each of %d tokens", name, len(list[i]), i, len(c.Tokens))
		}
		for t, a := range list[i] {
			if math.IsNaN(a) || math.IsInf(a, 0) {
				return fmt.Errorf("rlhf: advantages %s: got %v at token %d of completion %d, want a finite number", name, a, t, i)
			}
		}
		c.Advantages = list[i]
	}
	return nil
}

// advantages are the critic's, or those of Options.Advantages.
func (s *stage) advantages(in Scored) ([][]float64, error) {
	if s.judge != nil {
		return s.judge.assess(&s.layout, in)
	}
	return s.opts.Advantages.Advantages(in)
}
