package rlhf

import (
	"fmt"
	"math"

	"github.com/posttrain/posttrain/rlhf/rollout"
)

// Scored are the completions of a rollout with all that their advantages are made
// of.
type Scored struct {
	Rows []*rollout.Completion
	// Counts, (row, token), says which tokens the policy wrote.
	Counts [][]bool
	// Penalty, (row, token), is the KL in the reward, in units of reward; nil
	// without.
	Penalty [][]float64
	// Weights are those of the rewarders, where they are known.
	Weights []float64
}

// AdvantageEstimator says how rewards become advantages.
type AdvantageEstimator interface {
	// Name identifies the estimator in saved options.
	Name() string
	// Advantages returns one number a token of each row. A row whose reward is not
	// known gets 0.
	Advantages(in Scored) ([][]float64, error)
}

// KLInReward is β·KL(π_old‖π₀), estimated at each token and taken off its reward.
type KLInReward struct {
	Coef      float64   `json:"coef,omitempty"`
	Estimator Estimator `json:"estimator,omitempty"` // K3 is the zero value; K1 is usual
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

// estimate is the penalty of a token for d = log π_old − log π₀.
func (k KLInReward) estimate(d float64) float64 {
	switch k.Estimator {
	case K1:
		return k.Coef * d
	case K2:
		return k.Coef * d * d / 2
	}
	return k.Coef * (math.Expm1(-d) + d)
}

// spread repeats a row's advantage for each of its tokens.
func spread(rows []*rollout.Completion, advantages []float64) [][]float64 {
	out := make([][]float64, len(rows))
	for i, c := range rows {
		out[i] = make([]float64, len(c.Tokens))
		for t := range out[i] {
			out[i][t] = advantages[i]
		}
	}
	return out
}

// returns are the rewards of the rows less their penalties.
func (in *Scored) returns() []float64 {
	out := make([]float64, len(in.Rows))
	for i, c := range in.Rows {
		out[i] = c.Reward
		if in.Penalty != nil {
			for _, p := range in.Penalty[i] {
				out[i] -= p
			}
		}
	}
	return out
}
