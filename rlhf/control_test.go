package rlhf_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/guard"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// logged runs a policy that learns from low and returns one metric of every step.
func logged(t *testing.T, o rlhf.Options, steps int, name string) []float64 {
	t.Helper()
	o.Rollout = rollout.Options{Prompts: 3, Completions: 4}
	o.Generate = generate.Options{MaxTokens: 4}
	tr, err := rlhf.New(adapted(t, trial.Model(t, "llama", tensor.Float32), false), somePrompts(5), byLow(), o, trial.Loop(steps))
	require.NoError(t, err)
	defer tr.Close()
	var list []float64
	for s, err := range tr.Steps(t.Context()) {
		require.NoError(t, err)
		v, ok := s.Metrics.Value(name)
		require.True(t, ok, name)
		list = append(list, v)
	}
	return list
}

// Far below its target the KL's weight sinks by a fifth of n/horizon a rollout; far
// above it grows by as much.
func TestKLControlFollowsItsTarget(t *testing.T) {
	o := rlhf.Options{Objective: rlhf.Objective{KL: rlhf.KL{Coef: 0.5}}, KLControl: rlhf.KLControl{Target: 1e9, Horizon: 120}}
	sinks := logged(t, o, 3, "kl_coef")
	assert.InDeltaSlice(t, []float64{0.5 * 0.98, 0.5 * 0.98 * 0.98, 0.5 * 0.98 * 0.98 * 0.98}, sinks, 1e-12)
	o.KLControl.Target = 1e-12
	grows := logged(t, o, 6, "kl_coef")
	assert.Greater(t, grows[5], grows[0])
}

func TestEntropyControlFollowsItsTarget(t *testing.T) {
	o := rlhf.Options{Objective: rlhf.Objective{Entropy: 0.02}, EntropyControl: rlhf.EntropyControl{Target: 100, Step: 0.01, Max: 0.035}}
	assert.InDeltaSlice(t, []float64{0.02, 0.03, 0.035, 0.035}, logged(t, o, 4, "entropy_coef"), 1e-12)
	o.EntropyControl = rlhf.EntropyControl{Target: 1e-3, Min: 0.012}
	assert.InDeltaSlice(t, []float64{0.02, 0.015, 0.012, 0.012}, logged(t, o, 4, "entropy_coef"), 1e-12)
}

// An exact KL needs both policies in one graph: one model with two adapters.
func TestExactKLNeedsAnAdapter(t *testing.T) {
	p := rlhf.Policy{Model: trial.Model(t, "llama", tensor.Float32)}
	o := rlhf.Options{Objective: rlhf.Objective{KL: rlhf.KL{Coef: 0.1, Estimator: rlhf.ExactKL}}, Generate: generate.Options{MaxTokens: 4}}
	_, err := rlhf.New(p, somePrompts(2), byLow(), o, trial.Loop(1))
	require.ErrorIs(t, err, rlhf.ErrOptions)
	o.Rollout = rollout.Options{Prompts: 2, Completions: 4}
	out := runSteps(t, adapted(t, p.Model, false), somePrompts(2), o, trial.Loop(3))
	assert.Positive(t, out.Last["kl"])
}

func TestControlsReportFaults(t *testing.T) {
	err := rlhf.Options{KLControl: rlhf.KLControl{Target: 1}, EntropyControl: rlhf.EntropyControl{Target: 1}, TopEntropy: 2}.Validate()
	for _, part := range []string{"KLControl", "EntropyControl", "TopEntropy"} {
		assert.ErrorContains(t, err, part)
	}
}

// An alarm ends the run after the step that rang it, and the run says why.
func TestAlarmsEndTheRun(t *testing.T) {
	o := rlhf.Options{Alarms: guard.Alarms{&guard.Limit{Metric: "completions/max_length", Most: new(3.0)}}, Generate: generate.Options{MaxTokens: 4}, Rollout: rollout.Options{Prompts: 2, Completions: 2}}
	tr, err := rlhf.New(adapted(t, trial.Model(t, "llama", tensor.Float32), false), somePrompts(3), byLow(), o, trial.Loop(5))
	require.NoError(t, err)
	defer tr.Close()
	n := 0
	for _, err := range tr.Steps(t.Context()) {
		require.NoError(t, err)
		n++
	}
	assert.Less(t, n, 5)
	require.Len(t, tr.Stopped(), 1)
	assert.Contains(t, tr.Stopped()[0], "completions/max_length")
}

// The reason stands in the log, in the result and in run.json.
func TestTheReasonOfAnAlarmIsTold(t *testing.T) {
	var log bytes.Buffer
	loop := trial.Loop(9)
	loop.Out, loop.Logger = t.TempDir(), slog.New(slog.NewTextHandler(&log, nil))
	o := rlhf.Options{
		Alarms: guard.Alarms{guard.KLBudget("objective/kl", 0)}, KLInReward: rlhf.KLInReward{Coef: 0.01, Estimator: rlhf.K1},
		Generate: generate.Options{MaxTokens: 4}, Rollout: rollout.Options{Prompts: 2, Completions: 2},
	}
	tr, err := rlhf.New(adapted(t, trial.Model(t, "llama", tensor.Float32), false), somePrompts(3), byLow(), o, loop)
	require.NoError(t, err)
	defer tr.Close()
	var result string
	require.NoError(t, tr.Train(t.Context(), train.Hooks{Event: func(e train.Event) error {
		if e.Kind == train.EventResult {
			result = string(e.AppendJSON(nil))
		}
		return nil
	}}))
	assert.Less(t, tr.Step(), 9)
	const reason = "objective/kl: objective/kl is "
	assert.Contains(t, result, `"stopped":"`+reason)
	assert.Contains(t, log.String(), reason)
	run, err := os.ReadFile(filepath.Join(loop.Out, "run.json"))
	require.NoError(t, err)
	assert.Contains(t, string(run), reason)
}
