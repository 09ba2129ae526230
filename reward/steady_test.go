package reward_test

import (
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/tensor"
)

// Once buffers have their size a step allocates nothing: batch, forward,
// backward, metrics and update.
func TestSteadyStepAllocatesNothing(t *testing.T) {
	const (
		warm   = 60 // steps, after which no larger one comes
		window = 20
		count  = 5
	)
	device := tensor.NewDevice(2)
	defer device.Close()
	for name, l := range map[string]reward.Loss{
		"pairs": reward.BradleyTerry{Centring: 0.01, LabelSmoothing: 0.1}, "rankings": reward.PlackettLuce{}, "labels": reward.Regression{}, "tokens": reward.Outcome{EveryToken: true},
	} {
		t.Run(name, func(t *testing.T) {
			src := batcher(t, someGroups(12, 3), reward.BatchOptions{GroupsPerStep: 4, TokensPerMicro: 128, ScoreAt: l.Traits().ScoreAt})
			n := adapted(t, tinyNet(t, "llama", tensor.Float32, 1))
			tr, err := reward.New(n, src, reward.Options{Loss: l, Device: device, Recompute: name == "pairs"}, trial.Loop(warm+count*window))
			require.NoError(t, err)
			var at [count + 1]runtime.MemStats
			for s, err := range tr.Steps(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				if past := s.N - warm; past >= 0 && past%window == 0 {
					runtime.ReadMemStats(&at[past/window])
				}
			}
			least := uint64(math.MaxUint64)
			for i := range count {
				least = min(least, at[i+1].Mallocs-at[i].Mallocs)
			}
			require.Zero(t, least, "allocations in the quietest %d steps", window)
		})
	}
}

// Neither recomputation nor the number of threads nor capacities change a bit.
func TestPlansDoNotChangeResults(t *testing.T) {
	one, three := tensor.NewDevice(1), tensor.NewDevice(3)
	defer one.Close()
	defer three.Close()
	run := func(o reward.Options) trial.Outcome {
		src := batcher(t, someGroups(9, 2), reward.BatchOptions{GroupsPerStep: 4, TokensPerMicro: 64})
		return runSteps(t, adapted(t, tinyNet(t, "gemma3_text", tensor.Float32, 1)), src, o, trial.Loop(3))
	}
	want := run(reward.Options{Device: one})
	assert.Equal(t, want, run(reward.Options{Device: three}))
	assert.Equal(t, want, run(reward.Options{Device: one, Recompute: true}))
	assert.Equal(t, want, run(reward.Options{Device: one, Capacity: reward.Capacity{Tokens: 300, Groups: 9, Segments: 60}}))
}

// Weights go through files bit for bit, an adapter's and a whole model's.
func TestWeightsAreSavedAndRestored(t *testing.T) {
	for name, n := range map[string]reward.Net{
		"adapter": adapted(t, tinyNet(t, "llama", tensor.Float32, 1)),
		"full":    tinyNet(t, "llama", tensor.Float32, 2),
		"double":  tinyNet(t, "qwen3", tensor.Float64, 1),
	} {
		t.Run(name, func(t *testing.T) {
			tr, err := reward.New(n, batcher(t, someGroups(4, 2), reward.BatchOptions{}), reward.Options{}, trial.Loop(1))
			require.NoError(t, err)
			dir := t.TempDir()
			require.NoError(t, tr.SaveWeights(dir))
			for _, q := range tr.Parameters() {
				before := slices.Clone(q.Data())
				for i := range q.Data() {
					q.Data()[i]++
				}
				require.NoError(t, tr.LoadWeights(dir))
				require.Equal(t, before, q.Data(), q.Name())
			}
			require.Error(t, tr.LoadWeights(t.TempDir()))
		})
	}
}
