package dpo_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// With a hard update after every step the reference is always the policy, and the
// loss ln 2.
func TestHardSyncEveryStepStaysAtTheStart(t *testing.T) {
	o := dpo.Options{Reference: dpo.Reference{Sync: dpo.Sync{Every: 1}}}
	got := runSteps(t, adapted(t, trial.Model(t, "llama", tensor.Float32), true), steps(t), o, trial.Loop(5))
	for i, l := range got.Losses {
		assert.InDelta(t, math.Ln2, l, 1e-6, "step %d", i+1)
	}
	still := runSteps(t, adapted(t, trial.Model(t, "llama", tensor.Float32), true), steps(t), dpo.Options{}, trial.Loop(5))
	assert.Greater(t, math.Abs(still.Losses[4]-math.Ln2), 1e-3)
}

// In full training the second model follows as the formula says: after τ steps it
// is α·π + (1−α)·π₀.
func TestSoftSyncMixesWeights(t *testing.T) {
	const mix = 0.6
	start, ref := trial.Model(t, "llama", tensor.Float64), trial.Model(t, "llama", tensor.Float64)
	p := dpo.Policy{Model: trial.Model(t, "llama", tensor.Float64)}
	o := dpo.Options{Reference: dpo.Reference{Model: ref, Sync: dpo.Sync{Every: 2, Mix: mix}}}
	tr, err := dpo.New(p, steps(t), o, trial.Loop(3))
	require.NoError(t, err)
	want := map[string][]float64{}
	for s, err := range tr.Steps(t.Context()) {
		require.NoError(t, err)
		if s.N != 2 {
			continue
		}
		for name, q := range start.Params() {
			want[name] = append([]float64(nil), q.Data64()...)
		}
		for name, q := range p.Model.Params() {
			for i, v := range q.Data64() {
				want[name][i] = mix*v + (1-mix)*want[name][i]
			}
		}
	}
	n := 0
	for name, q := range ref.Params() {
		require.Equal(t, want[name], q.Data64(), name)
		n++
	}
	require.Positive(t, n)
}

// A run that moves its reference is resumed exactly, wherever it was interrupted.
func TestSyncedRunResumesExactly(t *testing.T) {
	for name, full := range map[string]bool{"adapter": false, "all weights": true} {
		for _, every := range []int{2, 3, 5} {
			build := func(dir string, resume bool) *dpo.Trainer {
				o := dpo.Options{
					EvalData:  batcher(t, somePairs(3), dpo.BatchOptions{Epochs: 1, Sequential: true}),
					Reference: dpo.Reference{Sync: dpo.Sync{Every: every, Mix: 0.5}},
				}
				p := dpo.Policy{Model: trial.Model(t, "qwen3", tensor.Float32)}
				if full {
					o.Reference.Model = trial.Model(t, "qwen3", tensor.Float32)
				} else {
					p = adapted(t, p.Model, false)
				}
				loop := trial.Loop(9)
				loop.Out, loop.Resume, loop.SaveEvery, loop.EvalEvery = dir, resume, 3, 2
				tr, err := dpo.New(p, batcher(t, somePairs(14), dpo.BatchOptions{PairsPerStep: 4, Seed: 3}), o, loop)
				require.NoError(t, err)
				return tr
			}
			want := losses(t, build("", false), 0)
			dir := t.TempDir()
			require.Equal(t, want[:5], losses(t, build(dir, false), 5), "%s every %d", name, every)
			second := build(dir, true)
			from := second.Step() // the newest of the checkpoints of SaveEvery and the best
			require.Positive(t, from)
			require.Equal(t, want[from:], losses(t, second, 0), "%s every %d, resumed", name, every)
		}
	}
}

// The result folder holds the policy alone.
func TestSyncKeepsTheReferenceOutOfTheResult(t *testing.T) {
	loop := trial.Loop(2)
	loop.Out = t.TempDir()
	tr, err := dpo.New(adapted(t, trial.Model(t, "llama", tensor.Float32), true), steps(t), dpo.Options{Reference: dpo.Reference{Sync: dpo.Sync{Every: 1}}}, loop)
	require.NoError(t, err)
	require.NoError(t, tr.Train(t.Context(), train.Hooks{}))
	assert.FileExists(t, loop.Out+"/adapter_model.safetensors")
	assert.NoFileExists(t, loop.Out+"/reference.safetensors")
}

func TestSyncRefusesWhatCannotMove(t *testing.T) {
	m := trial.Model(t, "llama", tensor.Float32)
	for name, c := range map[string]struct {
		p    dpo.Policy
		r    dpo.Reference
		says string
	}{
		"negative":          {adapted(t, m, true), dpo.Reference{Sync: dpo.Sync{Every: -1}}, "Every: got -1"},
		"mix":               {adapted(t, trial.Model(t, "llama", tensor.Float32), true), dpo.Reference{Sync: dpo.Sync{Every: 1, Mix: 2}}, "Mix: got 2"},
		"cached":            {adapted(t, trial.Model(t, "llama", tensor.Float32), true), dpo.Reference{Cached: true, Sync: dpo.Sync{Every: 1}}, "stands still"},
		"start":             {dpo.Policy{Model: m}, dpo.Reference{Sync: dpo.Sync{Every: 1}}, "no weights that could move"},
		"the policy itself": {dpo.Policy{Model: m}, dpo.Reference{Model: m, Sync: dpo.Sync{Every: 1}}, "own weight"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := dpo.New(c.p, steps(t), dpo.Options{Reference: c.r}, trial.Loop(1))
			require.ErrorIs(t, err, dpo.ErrOptions)
			require.ErrorContains(t, err, c.says)
		})
	}
}
