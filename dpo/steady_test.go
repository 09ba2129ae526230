package dpo_test

import (
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/tensor"
)

// Once buffers have their size a step allocates nothing: batch, reference,
// forward, backward, metrics and update.
func TestSteadyStepAllocatesNothing(t *testing.T) {
	const (
		warm   = 60 // steps, after which no larger one comes
		window = 20
		count  = 5
	)
	device := tensor.NewDevice(2)
	defer device.Close()
	for name, o := range map[string]dpo.Options{
		"live":   {Device: device},
		"free":   {Device: device, Loss: dpo.ORPO{}},
		"cached": {Device: device, Reference: dpo.Reference{Cached: true}},
		"coupled": {Device: device, Loss: dpo.Sum{{Loss: dpo.AOTUnpaired{}, Weight: 1}, {Loss: dpo.WPO{Of: dpo.IPO{}}, Weight: 1}},
			LDAlpha: new(0.5), Recompute: true},
	} {
		t.Run(name, func(t *testing.T) {
			p := adapted(t, trial.Model(t, "llama", tensor.Float32), false)
			src := batcher(t, somePairs(12), dpo.BatchOptions{PairsPerStep: 4, TokensPerMicro: 128})
			tr, err := dpo.New(p, src, o, trial.Loop(warm+count*window))
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
	run := func(o dpo.Options) trial.Outcome {
		return runSteps(t, adapted(t, trial.Model(t, "gemma3_text", tensor.Float32), false), steps(t), o, trial.Loop(3))
	}
	want := run(dpo.Options{Device: one})
	assert.Equal(t, want, run(dpo.Options{Device: three}))
	assert.Equal(t, want, run(dpo.Options{Device: one, Recompute: true}))
	assert.Equal(t, want, run(dpo.Options{Device: one, MicroTokens: 300, MaxPairs: 9}))
}

// Weights go through files bit for bit, an adapter's and a whole model's.
func TestWeightsAreSavedAndRestored(t *testing.T) {
	for name, p := range map[string]dpo.Policy{
		"adapter": adapted(t, trial.Model(t, "llama", tensor.Float32), false),
		"full":    {Model: trial.Model(t, "llama", tensor.Float32)},
		"double":  {Model: trial.Model(t, "qwen3", tensor.Float64)},
	} {
		t.Run(name, func(t *testing.T) {
			tr, err := dpo.New(p, steps(t), dpo.Options{}, trial.Loop(1))
			require.NoError(t, err)
			dir := t.TempDir()
			require.NoError(t, tr.SaveWeights(dir))
			q := tr.Parameters()[0]
			before := slices.Clone(q.Data())
			for i := range q.Data() {
				q.Data()[i]++
			}
			require.NoError(t, tr.LoadWeights(dir))
			require.Equal(t, before, q.Data())
			require.Error(t, tr.LoadWeights(t.TempDir()))
		})
	}
}

// LD-DPO with α = 0 sees answers cut to one length; with α = 1 it is DPO.
func TestLengthDesensitised(t *testing.T) {
	run := func(pairs []dpo.Pair, alpha *float64) float64 {
		src := batcher(t, pairs, dpo.BatchOptions{PairsPerStep: len(pairs), Sequential: true})
		p := adapted(t, trial.Model(t, "llama", tensor.Float64), false)
		return runSteps(t, p, src, dpo.Options{LDAlpha: alpha, Reference: dpo.Reference{Base: true}}, trial.Loop(1)).Losses[0]
	}
	long := somePairs(5)
	short := slices.Clone(long)
	for i := range short {
		n := min(len(short[i].Chosen), len(short[i].Rejected))
		short[i].Chosen, short[i].Rejected = short[i].Chosen[:n], short[i].Rejected[:n]
	}
	assert.InDelta(t, run(short, nil), run(long, new(0.0)), layoutTol64)
	assert.InDelta(t, run(long, nil), run(long, new(1.0)), layoutTol64)
	assert.Greater(t, diff(run(long, nil), run(long, new(0.0))), 1e-4)
}
