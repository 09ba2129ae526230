package rlhf_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/tensor"
)

// moods is a rewarder that does something else at every call.
type moods struct {
	calls int
	list  []func(ctx context.Context, rewards []float64) ([]float64, error)
}

// Name implements rollout.Rewarder.
func (*moods) Name() string { return "moods" }

// Rewards implements rollout.Rewarder.
func (m *moods) Rewards(ctx context.Context, list []rollout.Completion) ([]float64, error) {
	m.calls++
	return m.list[(m.calls-1)%len(m.list)](ctx, make([]float64, len(list)))
}

// known gives the first completion a reward and no other.
func known(_ context.Context, rewards []float64) ([]float64, error) {
	for i := 1; i < len(rewards); i++ {
		rewards[i] = rollout.Unknown()
	}
	rewards[0] = 1
	return rewards, nil
}

// none knows nothing.
func none(_ context.Context, rewards []float64) ([]float64, error) {
	for i := range rewards {
		rewards[i] = rollout.Unknown()
	}
	return rewards, nil
}

// Whatever a rewarder does wrong, training goes on as if it had known nothing, bit for
// bit, and counts it.
func TestFaultsOfRewardersCostWhatNoneCosts(t *testing.T) {
	wrong := []func(ctx context.Context, rewards []float64) ([]float64, error){
		known,
		func(context.Context, []float64) ([]float64, error) { panic("no") },
		func(context.Context, []float64) ([]float64, error) { return nil, errors.New("not today") },
		func(ctx context.Context, _ []float64) ([]float64, error) { <-ctx.Done(); return nil, ctx.Err() },
		func(_ context.Context, rewards []float64) ([]float64, error) { return rewards[1:], nil },
		func(_ context.Context, rewards []float64) ([]float64, error) {
			for i := range rewards {
				rewards[i] = math.Inf(-1)
			}
			return rewards, nil
		},
		none,
		func(ctx context.Context, rewards []float64) ([]float64, error) { // slow, and in time
			time.Sleep(20 * time.Millisecond)
			return known(ctx, rewards)
		},
	}
	right := make([]func(ctx context.Context, rewards []float64) ([]float64, error), len(wrong))
	for i := range right {
		right[i] = none
	}
	right[0], right[len(right)-1] = known, known

	run := func(m *moods) (out trial.Outcome, faults []rollout.FaultKind) {
		o := rlhf.Options{Rollout: rollout.Options{Prompts: 2, Completions: 4}, Generate: generate.Options{MaxTokens: 3}}
		// One of them waits for it, and no other may miss it, however busy the machine is.
		const deadline = 5 * time.Second
		rewards := []rollout.Reward{{By: low}, {By: m, Deadline: deadline, Weight: 0.5}}
		tr, err := rlhf.New(adapted(t, trial.Model(t, "llama", tensor.Float32), true), somePrompts(3), rewards, o, trial.Loop(len(wrong)))
		require.NoError(t, err)
		defer tr.Close()
		for s, err := range tr.Steps(t.Context()) {
			require.NoError(t, err)
			out.Losses = append(out.Losses, s.Loss)
			for _, f := range tr.Rollout().Faults {
				faults = append(faults, f.Kind)
				n, _ := s.Metrics.Value("rewards/faults")
				assert.Equal(t, 1.0, n)
			}
		}
		for _, p := range tr.Parameters() {
			for _, v := range p.Data() {
				out.Values = append(out.Values, float64(v))
			}
		}
		return out, faults
	}
	got, faults := run(&moods{list: wrong})
	want, nothing := run(&moods{list: right})
	assert.Equal(t, want, got)
	assert.Equal(t, []rollout.FaultKind{rollout.FaultPanic, rollout.FaultError, rollout.FaultDeadline, rollout.FaultLength, rollout.FaultInfinite}, faults)
	assert.Empty(t, nothing)
}
