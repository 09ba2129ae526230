package rlhf_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/tensor"
)

// The run folder tells what was said and what it was worth; a rewarder that fails is
// counted, told to the log, and costs nothing else.
func TestFolderTellsRewardsAndFaults(t *testing.T) {
	calls := 0
	moody := rollout.Each("moody", func(context.Context, *rollout.Completion) (float64, error) {
		if calls++; calls%3 == 0 {
			return 0, errors.New("not today")
		}
		return 0.25, nil
	})
	var log bytes.Buffer
	loop := trial.Loop(2)
	loop.Out, loop.SampleEvery, loop.Logger = t.TempDir(), 1, slog.New(slog.NewTextHandler(&log, nil))
	tr, err := rlhf.New(adapted(t, trial.Model(t, "llama", tensor.Float32), true), somePrompts(3), []rollout.Reward{{By: low}, {By: moody, Weight: 0.5}},
		rlhf.Options{Rollout: rollout.Options{Prompts: 2, Completions: 4}, Generate: generate.Options{MaxTokens: 3}, Samples: 3}, loop)
	require.NoError(t, err)
	defer tr.Close()
	for _, err := range tr.Steps(t.Context()) {
		require.NoError(t, err)
	}
	read := func(name string) string {
		raw, err := os.ReadFile(filepath.Join(loop.Out, name))
		require.NoError(t, err)
		return string(raw)
	}
	metrics := read("metrics.jsonl")
	for _, name := range []string{`"rewards/low/mean":`, `"rewards/moody/mean":0.25`, `"rewards/moody/unknown":0.25`, `"rewards/faults":1`, `"frac_reward_zero_std":`, `"completions/clipped_ratio":`,
		`"time_share/generation":`, `"time_share/training":`, `"sampling/sampling_logp_difference/mean":`} {
		assert.Contains(t, metrics, name)
	}
	samples := read("samples.jsonl")
	for _, name := range []string{`"advantage":`, `"reward":`, `"rewards/low":`, `"finish":"length"`} {
		assert.Contains(t, samples, name)
	}
	assert.Equal(t, 6, bytes.Count([]byte(samples), []byte("\n")), "three after each step")
	assert.Contains(t, log.String(), "not today")
	assert.FileExists(t, filepath.Join(loop.Out, "adapter_config.json"))
}
