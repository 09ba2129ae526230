package sft_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/houlsby"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/model/soft"
	"github.com/posttrain/posttrain/sft"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// tuners attach adapters of other kinds than low-rank updates.
var tuners = map[string]func(t testing.TB, m model.Model) sft.Tuner{
	"prompt":     prompt(soft.Config{Tokens: 4}),
	"prefix":     prompt(soft.Config{Kind: soft.PrefixTuning, Tokens: 4}),
	"projection": prompt(soft.Config{Kind: soft.PrefixTuning, Tokens: 4, Projection: true, Width: 8}),
	"p-tuning":   prompt(soft.Config{Kind: soft.PTuning, Tokens: 4, Width: 8}),
	"houlsby": func(t testing.TB, m model.Model) sft.Tuner {
		a, err := houlsby.Attach(m, "default", houlsby.Config{Width: 4})
		require.NoError(t, err)
		return a
	},
}

func prompt(c soft.Config) func(t testing.TB, m model.Model) sft.Tuner {
	return func(t testing.TB, m model.Model) sft.Tuner {
		p, err := soft.Attach(m, "default", c)
		require.NoError(t, err)
		return p
	}
}

func tuned(t testing.TB, name string, dt tensor.Dtype) sft.Policy {
	m := trial.Model(t, "gemma3_text", dt)
	return sft.Policy{Model: m, Tuner: tuners[name](t, m)}
}

// TestTunersLearn wants the loss of a few rows to fall, evaluation to see it, and
// the model's own weights to stay.
func TestTunersLearn(t *testing.T) {
	for name := range tuners {
		t.Run(name, func(t *testing.T) {
			p := tuned(t, name, tensor.Float32)
			before, err := model.CopyWeights(p.Model)
			require.NoError(t, err)
			src := batcher(t, 4, data.BatchOptions{TokensPerStep: 64, TokensPerMicro: 64, Seed: 3})
			held := batcher(t, 4, data.BatchOptions{TokensPerStep: 64, TokensPerMicro: 64, Epochs: 1})
			loop := trial.Loop(120)
			loop.Optimizer = train.AdamW{LR: 3e-2}
			tr, err := sft.New(p, src, sft.Options{EvalData: held}, loop)
			require.NoError(t, err)
			var first, last float64
			for s, err := range tr.Steps(t.Context()) {
				require.NoError(t, err)
				if first == 0 {
					first = s.Loss
				}
				last = s.Loss
			}
			assert.Less(t, last, 0.8*first)
			_, latest := tr.Evaluations()
			measured, ok := latest.Value("eval_loss")
			require.True(t, ok)
			assert.InDelta(t, last, measured, 0.1*first, "the same rows, one step later")
			after, err := model.CopyWeights(p.Model)
			require.NoError(t, err)
			for n, w := range before {
				assert.Equal(t, w.Float32s(), after[n].Float32s(), n)
			}
		})
	}
}

// splitTolerance bounds two orders of summation in float64.
const splitTolerance = 1e-10

// TestTunersSeeEachMicroBatchAlike cuts a step into micro-batches, each of which
// has the virtual tokens before it.
func TestTunersSeeEachMicroBatchAlike(t *testing.T) {
	for name := range tuners {
		t.Run(name, func(t *testing.T) {
			var runs []trial.Outcome
			for _, micro := range []int{64, 16} {
				p := tuned(t, name, tensor.Float64)
				src := batcher(t, 12, data.BatchOptions{TokensPerStep: 64, TokensPerMicro: micro, Seed: 3})
				runs = append(runs, runSteps(t, p, src, sft.Options{MicroTokens: micro}, trial.Loop(3)))
			}
			for i, want := range runs[0].Grads {
				require.InDelta(t, want, runs[1].Grads[i], splitTolerance)
			}
			assert.InDeltaSlice(t, runs[0].Losses, runs[1].Losses, splitTolerance)
		})
	}
}

func TestTunersAreResumedExactly(t *testing.T) {
	for name := range tuners {
		t.Run(name, func(t *testing.T) {
			start := func(dir string, resume bool) *sft.Trainer {
				loop := trial.Loop(9)
				loop.Out, loop.Resume, loop.SaveEvery = dir, resume, 4
				tr, err := sft.New(tuned(t, name, tensor.Float32), batcher(t, 20, data.BatchOptions{TokensPerStep: 48, TokensPerMicro: 24, Seed: 3}), sft.Options{}, loop)
				require.NoError(t, err)
				return tr
			}
			whole := start("", false)
			losses := steps(t, whole, 0)
			_, want := trial.Parameters(whole)
			dir := t.TempDir()
			steps(t, start(dir, false), 6)
			second := start(dir, true)
			require.Equal(t, losses[4:], steps(t, second, 0))
			_, got := trial.Parameters(second)
			require.Equal(t, want, got)
		})
	}
}

// TestASavedTunerIsWhatWasTrained loads the result of a run into a fresh model.
func TestASavedTunerIsWhatWasTrained(t *testing.T) {
	rows := [][]int32{{1, 2, 3, 4}}
	for name := range tuners {
		t.Run(name, func(t *testing.T) {
			p := tuned(t, name, tensor.Float32)
			steps(t, idle(t, p, sft.Options{}), 0)
			dir := filepath.Join(t.TempDir(), "out")
			require.NoError(t, p.Tuner.Save(dir, "base"))
			fresh := trial.Model(t, "gemma3_text", tensor.Float32)
			var err error
			if name == "houlsby" {
				_, err = houlsby.Load(fresh, "default", dir)
			} else {
				_, err = soft.Load(fresh, "default", dir)
			}
			require.NoError(t, err)
			want, err := modeltest.Compute(p.Model, rows, modeltest.PassOptions{Adapter: "default"})
			require.NoError(t, err)
			got, err := modeltest.Compute(fresh, rows, modeltest.PassOptions{Adapter: "default"})
			require.NoError(t, err)
			assert.Equal(t, want, got)
		})
	}
}

func TestAPolicyHasOneAdapter(t *testing.T) {
	p := adapted(t, trial.Model(t, "llama", tensor.Float32), lora.Config{})
	p.Tuner = p.Adapter
	_, err := sft.New(p, oneRow(1), sft.Options{}, trial.Loop(1))
	assert.ErrorContains(t, err, "got both Adapter and Tuner, want one")
	p = tuned(t, "prompt", tensor.Float32)
	p.Tuner.(*soft.Prompt).Remove()
	_, err = sft.New(p, oneRow(1), sft.Options{}, trial.Loop(1))
	assert.ErrorContains(t, err, `got "default", which is not attached to the model`)
}

// TestBottlenecksComeCloseToFullTraining checks F11 of the method cards on a task
// that fits a test: a few per cent of the weights get most of what all of them get.
func TestBottlenecksComeCloseToFullTraining(t *testing.T) {
	learn := func(p sft.Policy, rate float64) (first, last float64) {
		loop := trial.Loop(150)
		loop.Optimizer = train.AdamW{LR: rate}
		tr, err := sft.New(p, batcher(t, 6, data.BatchOptions{TokensPerStep: 96, TokensPerMicro: 96, Seed: 3}), sft.Options{}, loop)
		require.NoError(t, err)
		losses := steps(t, tr, 0)
		return losses[0], losses[len(losses)-1]
	}
	m := trial.Model(t, "wide", tensor.Float32)
	a, err := houlsby.Attach(m, "default", houlsby.Config{Width: 16})
	require.NoError(t, err)
	total, _ := model.ParamCount(m)
	own := 0
	for _, p := range a.Params() {
		own += p.Len()
	}
	first, tuned := learn(sft.Policy{Model: m, Tuner: a}, 1e-2)
	start, full := learn(sft.Policy{Model: trial.Model(t, "wide", tensor.Float32)}, 1e-2)
	t.Logf("%.1f %% of %d weights: loss %.3f to %.3f, all weights %.3f", 100*float64(own)/float64(total), total, first, tuned, full)
	assert.Equal(t, start, first, "the adapter begins as the identity")
	assert.Less(t, float64(own)/float64(total), 0.04)
	assert.Greater(t, (first-tuned)/(start-full), 0.9)
}
