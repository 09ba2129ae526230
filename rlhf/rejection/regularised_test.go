package rejection_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/rlhf/rejection"
	"github.com/posttrain/posttrain/rlhf/rollout"
)

// typicalAnswers are n answers of TB5 of the method cards to one prompt: the reward of one
// model is Reward, the true one stands in Old, the log-probability in the only token. Two
// in a hundred are hacks, which are worth 2 less than they look, are not typical, and fool
// the model by 4 four times in ten.
func typicalAnswers(rng *rand.Rand, n int) []rollout.Completion {
	list := make([]rollout.Completion, n)
	for i := range list {
		looks, typical := rng.NormFloat64(), 0.5*rng.NormFloat64()
		gold, sees := looks, looks
		if rng.Float64() < 0.02 {
			gold, sees, typical = looks-2, looks-2, -3
			if rng.Float64() < 0.4 {
				sees = looks + 4
			}
		}
		list[i] = rollout.Completion{Reward: sees + 0.7*rng.NormFloat64(), Old: []float64{gold}, Tokens: []rollout.Token{{LogProb: typical}}}
	}
	return list
}

var byReward = rollout.Each("model", func(_ context.Context, c *rollout.Completion) (float64, error) { return c.Reward, nil })

// best is the mean true reward of what a rewarder likes best among n.
func best(t *testing.T, by rollout.Rewarder, n, trials int) float64 {
	t.Helper()
	rng, sum := rand.New(rand.NewPCG(11, 12)), 0.0
	for range trials {
		list := typicalAnswers(rng, n)
		rewards, err := by.Rewards(t.Context(), list)
		require.NoError(t, err)
		at := 0
		for i, r := range rewards {
			if r > rewards[at] {
				at = i
			}
		}
		sum += list[at].Old[0] / float64(trials)
	}
	return sum
}

// The column RBoN of the table in §4.2 of the method cards: with the log-typicality the best
// of n goes on getting better where one model alone is outwitted. 0.25 is about two standard
// errors of both where outcomes are most spread.
func TestRegularisedBestOfNIsNotOutwitted(t *testing.T) {
	r := rejection.Regularised{By: byReward, Beta: 1}
	for n, want := range map[int]float64{4: 0.76, 16: 1.30, 64: 1.69, 256: 2.04, 1024: 2.25} {
		assert.InDelta(t, want, best(t, r, n, 300), 0.25, "n = %d", n)
	}
	assert.Less(t, best(t, byReward, 1024, 300), 0.0, "without it")
	assert.Equal(t, best(t, byReward, 16, 50), best(t, rejection.Regularised{By: byReward}, 16, 50), "β = 0")
}

func TestRegularisedRewards(t *testing.T) {
	list := []rollout.Completion{
		{Group: 1, Text: "a", Reward: 1, Tokens: []rollout.Token{{LogProb: -1}, {LogProb: -3}, {LogProb: -9, Role: rollout.Observation}}},
		{Group: 1, Text: "b", Reward: 2, Tokens: []rollout.Token{{LogProb: math.NaN()}}},
		{Group: 1, Text: "a", Reward: math.NaN(), Tokens: []rollout.Token{{LogProb: -1}}},
		{Group: 2, Text: "b", Reward: 3},
	}
	same := func(a, b *rollout.Completion) float64 {
		if a.Text == b.Text {
			return 1
		}
		return 0
	}
	for name, c := range map[string]struct {
		r    rejection.Regularised
		want []float64
	}{
		"log-probabilities": {rejection.Regularised{By: byReward, Beta: 0.5}, []float64{-1, math.NaN(), math.NaN(), 3}},
		"per token":         {rejection.Regularised{By: byReward, Beta: 0.5, PerToken: true}, []float64{0, math.NaN(), math.NaN(), 3}},
		"utilities":         {rejection.Regularised{By: byReward, Beta: 3, Utility: same}, []float64{1 + 2, 2 + 1, math.NaN(), 3 + 3}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.r.Rewards(t.Context(), list)
			require.NoError(t, err)
			for i, w := range c.want {
				if math.IsNaN(w) {
					assert.True(t, math.IsNaN(got[i]), "%d", i)
					continue
				}
				assert.InDelta(t, w, got[i], 1e-12, "%d", i)
			}
		})
	}
	assert.Equal(t, "model", rejection.Regularised{By: byReward}.Name())
	_, err := rejection.Regularised{Beta: -1, PerToken: true, Utility: same}.Rewards(t.Context(), list)
	require.ErrorIs(t, err, rejection.ErrOptions)
	for _, field := range []string{"By", "Beta", "PerToken"} {
		assert.ErrorContains(t, err, "Regularised."+field)
	}
}

// A collector keeps the typical one of two answers that the reward model likes.
func TestCollectorTakesRegularisedRewards(t *testing.T) {
	prompts := []rollout.Prompt{{IDs: []int32{1}, Text: "q"}}
	said := map[string][]string{"q": {"fine words", "zzz", "fine words indeed", "fine words too"}}
	liked := rollout.Each("model", func(_ context.Context, c *rollout.Completion) (float64, error) {
		return map[bool]float64{true: 1.2, false: 1}[c.Text == "zzz"], nil
	})
	common := func(a, b *rollout.Completion) float64 {
		return map[bool]float64{true: 1}[a.Text[:1] == b.Text[:1]]
	}
	for beta, want := range map[float64]string{0: "zzz", 1: "fine words"} {
		c, err := rejection.New(prompts, scripted(said), rejection.Regularised{By: liked, Beta: beta, Utility: common}, rejection.Options{Completions: 4, Keep: 1, All: true, Prefer: rejection.Best})
		require.NoError(t, err)
		round, err := c.Collect(t.Context(), 0)
		require.NoError(t, err)
		rows := round.Rows()
		require.Len(t, rows, 1)
		assert.Equal(t, want, rows[0].Completion)
	}
}
