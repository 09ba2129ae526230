package rollout_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/rlhf/rollout"
)

// rewarder is one out of a function.
type rewarder struct {
	name string
	f    func(ctx context.Context, list []rollout.Completion) ([]float64, error)
}

// Name implements rollout.Rewarder.
func (r rewarder) Name() string { return r.name }

// Rewards implements rollout.Rewarder.
func (r rewarder) Rewards(ctx context.Context, list []rollout.Completion) ([]float64, error) {
	return r.f(ctx, list)
}

// all gives every completion the same reward.
func all(v float64) func(context.Context, []rollout.Completion) ([]float64, error) {
	return func(_ context.Context, list []rollout.Completion) ([]float64, error) {
		out := make([]float64, len(list))
		for i := range out {
			out[i] = v
		}
		return out, nil
	}
}

const shortTime = 20 * time.Millisecond

// Whatever a rewarder does, the others' rewards stand, the fault is told, and no
// reward is invented.
func TestFaultsOfARewarderAreContained(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	oops := errors.New("oops")
	for kind, by := range map[rollout.FaultKind]rollout.Rewarder{
		rollout.FaultError: rewarder{"bad", func(context.Context, []rollout.Completion) ([]float64, error) { return nil, oops }},
		rollout.FaultPanic: rewarder{"bad", func(context.Context, []rollout.Completion) ([]float64, error) { panic("no") }},
		rollout.FaultDeadline: rewarder{"bad", func(context.Context, []rollout.Completion) ([]float64, error) {
			<-release // ignores its context
			return nil, nil
		}},
		rollout.FaultLength:   rewarder{"bad", func(context.Context, []rollout.Completion) ([]float64, error) { return []float64{1}, nil }},
		rollout.FaultInfinite: rewarder{"bad", all(math.Inf(1))},
	} {
		t.Run(string(kind), func(t *testing.T) {
			c := collector(t, rollout.Options{Prompts: 2, Completions: 2}, rollout.Reward{By: by, Deadline: shortTime}, rollout.Reward{By: rewarder{"good", all(0.5)}, Weight: 2})
			r := next(t, c, 0)
			require.Len(t, r.Faults, 1)
			assert.Equal(t, kind, r.Faults[0].Kind)
			assert.Equal(t, "bad", r.Faults[0].Rewarder)
			assert.Equal(t, 4, r.Faults[0].Completions)
			assert.ErrorContains(t, r.Faults[0], string(kind))
			for _, x := range r.Completions {
				assert.True(t, math.IsNaN(x.Rewards[0]))
				assert.InDelta(t, 1, x.Reward, 0, "2·0.5")
			}
			again := next(t, c, 1)
			if kind == rollout.FaultDeadline {
				kind = rollout.FaultBusy // it has not returned yet, so it is not asked again
			}
			assert.Equal(t, kind, again.Faults[0].Kind)
		})
	}
}

func TestALateAnswerIsADeadline(t *testing.T) {
	slow := rewarder{"slow", func(ctx context.Context, _ []rollout.Completion) ([]float64, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	r := next(t, collector(t, rollout.Options{Prompts: 1, Completions: 2}, rollout.Reward{By: slow, Deadline: shortTime}), 0)
	assert.Equal(t, rollout.FaultDeadline, r.Faults[0].Kind)
	assert.True(t, math.IsNaN(r.Completions[0].Reward))
}

// One completion that cannot be scored costs no other its reward.
func TestEachContainsOneCompletion(t *testing.T) {
	for name, kind := range map[string]rollout.FaultKind{"error": rollout.FaultError, "panic": rollout.FaultPanic} {
		n := 0
		by := rollout.Each("each", func(context.Context, *rollout.Completion) (float64, error) {
			if n++; n == 2 {
				if name == "panic" {
					panic("second")
				}
				return 7, errors.New("second")
			}
			return 1, nil
		})
		r := next(t, collector(t, rollout.Options{Prompts: 1, Completions: 3}, rollout.Reward{By: by}), 0)
		assert.Equal(t, []rollout.FaultKind{kind}, []rollout.FaultKind{r.Faults[0].Kind})
		assert.Equal(t, 1, r.Faults[0].Completions)
		assert.Equal(t, 1.0, r.Completions[0].Reward)
		assert.True(t, math.IsNaN(r.Completions[1].Reward))
		assert.Equal(t, 1.0, r.Completions[2].Reward)
	}
}

// NaN is "none known", not a fault; beside others it counts as 0, alone it leaves
// the completion without a reward.
func TestNoneIsNoFault(t *testing.T) {
	none := rewarder{"none", all(rollout.Unknown())}
	r := next(t, collector(t, rollout.Options{Prompts: 1, Completions: 2}, rollout.Reward{By: none}, rollout.Reward{By: rewarder{"some", all(3)}}), 0)
	assert.Empty(t, r.Faults)
	assert.Equal(t, 3.0, r.Completions[0].Reward)
	r = next(t, collector(t, rollout.Options{Prompts: 1, Completions: 2}, rollout.Reward{By: none}), 0)
	assert.True(t, math.IsNaN(r.Completions[0].Reward))
}

func TestSilentRewardsDoNotCount(t *testing.T) {
	r := next(t, collector(t, rollout.Options{Prompts: 1, Completions: 1}, rollout.Reward{By: rewarder{"a", all(1)}}, rollout.Reward{By: rewarder{"b", all(5)}, Silent: true}), 0)
	assert.Equal(t, []float64{1, 5}, r.Completions[0].Rewards)
	assert.Equal(t, 1.0, r.Completions[0].Reward)
	assert.Equal(t, []string{"a", "b"}, r.Names)
}

func TestAFaultEndsTheRunWhereItIsToldTo(t *testing.T) {
	bad := rewarder{"bad", func(context.Context, []rollout.Completion) ([]float64, error) { return nil, errors.New("oops") }}
	c := collector(t, rollout.Options{OnFault: rollout.FaultsStop}, rollout.Reward{By: bad})
	_, err := c.Next(t.Context(), 0)
	require.ErrorIs(t, err, rollout.ErrRewarder)
	assert.ErrorContains(t, err, "oops")
}

func TestPatienceWithBlindRewardersEnds(t *testing.T) {
	bad := rewarder{"bad", func(context.Context, []rollout.Completion) ([]float64, error) { return nil, errors.New("oops") }}
	c := collector(t, rollout.Options{Patience: 2}, rollout.Reward{By: bad})
	next(t, c, 0)
	_, err := c.Next(t.Context(), 1)
	require.ErrorIs(t, err, rollout.ErrRewarder)
	assert.ErrorContains(t, err, "2 rollouts")
}

// A run that is stopped does not wait for a rewarder that hangs.
func TestCancellationLeavesAHangingRewarder(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	hang := rewarder{"hang", func(context.Context, []rollout.Completion) ([]float64, error) { <-release; return nil, nil }}
	c := collector(t, rollout.Options{Prompts: 1, Completions: 1}, rollout.Reward{By: hang})
	ctx, cancel := context.WithTimeout(t.Context(), shortTime)
	defer cancel()
	_, err := c.Next(ctx, 0)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
