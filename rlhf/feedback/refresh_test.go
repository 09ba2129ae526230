package feedback_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/rlhf/feedback"
	"github.com/posttrain/posttrain/rlhf/rollout"
)

// climber is a policy that says numbers around its mean, which its rollouts move
// towards what was rewarded. The gold reward is best at 5 and falls on both sides.
type climber struct {
	Mean, Step float64
	N          int
	reward     func(x float64) float64
}

func gold(x float64) float64 { return -(x - 5) * (x - 5) }

func (c *climber) Next(context.Context, int64) (*rollout.Rollout, error) {
	r := rand.New(rand.NewPCG(11, uint64(c.N)))
	p := &rollout.Prompt{Text: "say a number"}
	roll := &rollout.Rollout{Number: int64(c.N)}
	best, at := 0.0, 0.0
	for i := range 16 {
		x := c.Mean + r.NormFloat64()
		roll.Completions = append(roll.Completions, &rollout.Completion{Group: int64(c.N), Index: i, Prompt: p, Text: strconv.FormatFloat(x, 'g', -1, 64)})
		if score := c.reward(x); i == 0 || score > best {
			best, at = score, x
		}
	}
	c.Mean += c.Step * (at - c.Mean)
	c.N++
	return roll, nil
}

func (c *climber) State() (json.RawMessage, error) {
	return json.Marshal([]float64{c.Mean, float64(c.N)})
}

func (c *climber) Restore(raw json.RawMessage) error {
	var at []float64
	if err := json.Unmarshal(raw, &at); err != nil {
		return err
	}
	c.Mean, c.N = at[0], int(at[1])
	return nil
}

// slope is a reward model w·x, learnt from comparisons: right as long as the policy
// is on one side of 5.
type slope struct{ w float64 }

func (s *slope) Learn(_ context.Context, list []feedback.Preference) error {
	rises := 0.0
	for _, p := range list {
		a, _ := strconv.ParseFloat(p.Chosen, 64)
		b, _ := strconv.ParseFloat(p.Rejected, 64)
		rises += a - b
	}
	s.w = rises / float64(len(list))
	return nil
}

var goldJudge = feedback.JudgeFunc("gold", func(_ context.Context, duels []feedback.Duel) ([]float64, error) {
	p := make([]float64, len(duels))
	for i, d := range duels {
		a, _ := strconv.ParseFloat(d.First, 64)
		b, _ := strconv.ParseFloat(d.Second, 64)
		if gold(a) > gold(b) {
			p[i] = 1
		}
	}
	return p, nil
})

// TestRefreshStopsOverOptimisation lets a policy climb a reward model that was right
// where it began: kept as it was it leads astray without end; trained again on fresh
// answers it keeps the policy near the best.
func TestRefreshStopsOverOptimisation(t *testing.T) {
	climb := func(every int) (float64, int) {
		m := &slope{w: 1}
		c := &climber{Step: 0.3, reward: func(x float64) float64 { return m.w * x }}
		src, err := feedback.Refresh(c, goldJudge, m, feedback.RefreshOptions{Every: every})
		require.NoError(t, err)
		for i := range 60 {
			_, err := src.Next(t.Context(), int64(i))
			require.NoError(t, err)
		}
		n, _ := src.Refreshes()
		return gold(c.Mean), n
	}
	stale, none := climb(1000)
	fresh, n := climb(2)
	t.Logf("gold reward %.1f with the old model, %.1f with %d refreshes", stale, fresh, n)
	assert.Equal(t, 0, none)
	assert.Equal(t, 29, n)
	assert.Less(t, stale, -100.0)
	assert.Greater(t, fresh, -4.0)
}

func TestRefreshRemembersAndGoesOn(t *testing.T) {
	sizes := func(src *feedback.Refreshed, n int) {
		for i := range n {
			_, err := src.Next(t.Context(), int64(i))
			require.NoError(t, err)
		}
	}
	open := func(log *[]int) *feedback.Refreshed {
		learn := feedback.LearnerFunc(func(_ context.Context, list []feedback.Preference) error {
			*log = append(*log, len(list))
			return nil
		})
		src, err := feedback.Refresh(&climber{reward: gold}, goldJudge, learn, feedback.RefreshOptions{Every: 2, Memory: 50})
		require.NoError(t, err)
		return src
	}
	var whole, first, second []int
	a, b := open(&whole), open(&first)
	sizes(a, 8)
	assert.Equal(t, []int{240, 290, 290}, whole, "16·15/2 pairs a rollout, and 50 of before")
	sizes(b, 3)
	raw, err := b.State()
	require.NoError(t, err)
	c := open(&second)
	require.NoError(t, c.Restore(raw))
	sizes(c, 5)
	assert.Equal(t, whole, append(first, second...))
	x, err := a.State()
	require.NoError(t, err)
	y, err := c.State()
	require.NoError(t, err)
	assert.JSONEq(t, string(x), string(y))
	for _, raw := range []string{"", "[]", `{"rollouts":3}`, `{"source":{}}`} {
		assert.Error(t, c.Restore([]byte(raw)), raw)
	}
}

func TestRefreshTriesAgain(t *testing.T) {
	calls := 0
	learn := feedback.LearnerFunc(func(context.Context, []feedback.Preference) error {
		if calls++; calls == 1 {
			return errors.New("busy")
		}
		return nil
	})
	src, err := feedback.Refresh(&climber{reward: gold}, goldJudge, learn, feedback.RefreshOptions{Every: 1})
	require.NoError(t, err)
	for i, fails := range []bool{false, true, false} {
		_, err := src.Next(t.Context(), 0)
		assert.Equal(t, fails, err != nil, fmt.Sprint(i))
	}
	n, stats := src.Refreshes()
	assert.Equal(t, 1, n)
	assert.Equal(t, 120, stats.Kept)
	_, err = feedback.Refresh(&climber{}, goldJudge, learn, feedback.RefreshOptions{Every: -1, Memory: -1})
	require.ErrorContains(t, err, "Memory")
	_, err = feedback.Refresh(nil, goldJudge, learn, feedback.RefreshOptions{})
	require.Error(t, err)
}
