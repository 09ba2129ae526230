package rlhf_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/advantage"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/tensor"
)

// The price of a constraint rises by the rate times what its mean is beyond the limit,
// never below 0, and is taken off the reward of the rollout after it. (That prices
// so moved bring the mean to its limit is a test of package guard.)
func TestConstraintsTakeTheirPriceOffTheReward(t *testing.T) {
	const limit, rate = 0.3, 2.0
	for _, least := range []bool{false, true} {
		p := adapted(t, trial.Model(t, "llama", tensor.Float32), false)
		o := rlhf.Options{
			Rollout:     rollout.Options{Prompts: 4, Completions: 4},
			Advantages:  rlhf.GroupAdvantages{GroupOptions: advantage.GroupOptions{Scale: advantage.NoScale}},
			Constraints: rlhf.Constraints{Limits: []rlhf.RewardLimit{{Reward: "low", Limit: limit, AtLeast: least}}, Rate: rate},
		}
		o.Generate.MaxTokens = 2
		tr, err := rlhf.New(p, somePrompts(6), byLow(), o, trial.Loop(8))
		require.NoError(t, err)
		defer tr.Close()
		sign, price, moved := 1.0, 0.0, 0
		if least {
			sign = -1
		}
		for s, err := range tr.Steps(t.Context()) {
			require.NoError(t, err)
			got := map[int64]float64{}
			for _, c := range tr.Rollout().Completions {
				got[c.Group] += (1 - sign*price) * c.Reward / 4
			}
			for _, c := range tr.Rollout().Completions {
				for _, a := range c.Advantages {
					assert.InDelta(t, (1-sign*price)*c.Reward-got[c.Group], a, 1e-9)
				}
			}
			share, _ := s.Metrics.Value("rewards/low/mean")
			before := price
			price = math.Max(0, price+rate*sign*(share-limit))
			logged, _ := s.Metrics.Value("constraint/low/price")
			assert.InDelta(t, price, logged, 1e-9)
			if price != before {
				moved++
			}
		}
		assert.Positive(t, moved)
	}
}

func TestConstraintsReportFaults(t *testing.T) {
	o := rlhf.Options{Rollout: rollout.Options{Prompts: 2, Completions: 2}, Constraints: rlhf.Constraints{Limits: []rlhf.RewardLimit{{Reward: "nothing"}}}}
	o.Generate.MaxTokens = 2
	tr, err := rlhf.New(adapted(t, trial.Model(t, "llama", tensor.Float32), true), somePrompts(2), byLow(), o, trial.Loop(1))
	require.NoError(t, err)
	defer tr.Close()
	for _, err := range tr.Steps(t.Context()) {
		require.ErrorContains(t, err, `"nothing"`)
	}
	require.ErrorContains(t, rlhf.Options{Constraints: rlhf.Constraints{Rate: -1, Limits: []rlhf.RewardLimit{{}}}}.Validate(), "Rate")
}
