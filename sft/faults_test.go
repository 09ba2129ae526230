package sft_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/sft"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

func TestOptionsReportAllFaults(t *testing.T) {
	err := sft.Options{NEFTuneAlpha: -1, MicroTokens: 1, MaxSegments: -1, Loss: sft.NLL{LabelSmoothing: 1}}.Validate()
	require.ErrorIs(t, err, sft.ErrOptions)
	for _, field := range []string{"NEFTuneAlpha: got -1", "MicroTokens: got 1", "MaxSegments: got -1", "LabelSmoothing is 1"} {
		assert.ErrorContains(t, err, field)
	}
	require.NoError(t, sft.Options{}.Validate())
	require.Error(t, sft.Options{NEFTuneAlpha: math.NaN()}.Validate())
}

func TestNewRefuses(t *testing.T) {
	src := batcher(t, 5, data.BatchOptions{TokensPerMicro: 64})
	m := trial.Model(t, "llama", tensor.Float32)
	removed, err := lora.Attach(m, "gone", lora.Config{})
	require.NoError(t, err)
	removed.Remove()
	for name, c := range map[string]struct {
		p    sft.Policy
		src  data.StepSource
		o    sft.Options
		loop train.Options
		text string
	}{
		"no model":       {src: src, text: "Policy.Model"},
		"no source":      {p: sft.Policy{Model: m}, text: "no source"},
		"options":        {p: sft.Policy{Model: m}, src: src, o: sft.Options{MicroTokens: -1}, loop: train.Options{MaxSteps: -1}, text: "MaxSteps"},
		"gone adapter":   {p: sft.Policy{Model: m, Adapter: removed}, src: src, text: "not attached"},
		"small micro":    {p: sft.Policy{Model: m}, src: src, o: sft.Options{MicroTokens: 63}, text: "MicroTokens: got 63, want the 64"},
		"few segments":   {p: sft.Policy{Model: m}, src: src, o: sft.Options{MaxSegments: 7}, text: "MaxSegments: got 7, want the 8"},
		"own evaluation": {p: sft.Policy{Model: m}, src: src, o: sft.Options{EvalData: src}, text: "source that is trained on"},
		"endless":        {p: sft.Policy{Model: m}, src: src, o: sft.Options{EvalData: batcher(t, 5, data.BatchOptions{TokensPerMicro: 64})}, text: "never ends"},
		"bad loss":       {p: sft.Policy{Model: m}, src: src, o: sft.Options{Loss: sft.LossFunc(func(in sft.Tokens) *tensor.Node { return tensor.Sum(in.LogProb) })}, text: "want one number a target"},
		"loss of nothing": {p: sft.Policy{Model: m}, src: src, o: sft.Options{Loss: sft.LossFunc(func(in sft.Tokens) *tensor.Node {
			return tensor.Detach(in.LogProb)
		})}, text: "does not depend on parameter"},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.MemoryLimit = -1
			_, err := sft.New(c.p, c.src, c.o, c.loop)
			require.ErrorContains(t, err, c.text)
		})
	}
}

// failsAt trains and returns the step that failed and its error.
func failsAt(t *testing.T, p sft.Policy, src data.StepSource) (int, error) {
	t.Helper()
	tr, err := sft.New(p, src, sft.Options{MicroTokens: 64, MaxSegments: 8}, trial.Loop(5))
	require.NoError(t, err)
	for _, err = range tr.Steps(t.Context()) {
		if err != nil {
			return tr.Step() + 1, err
		}
	}
	require.Fail(t, "training did not fail")
	return 0, nil
}

func TestNotANumberNamesTheStep(t *testing.T) {
	m := trial.Model(t, "llama", tensor.Float32)
	for _, p := range m.Params() {
		p.Data()[len(p.Data())-1] = float32(math.NaN())
		p.Changed()
	}
	step, err := failsAt(t, sft.Policy{Model: m}, oneRow(5))
	require.ErrorIs(t, err, train.ErrNonFinite)
	assert.ErrorContains(t, err, "step 1: loss: got NaN")
	assert.Equal(t, 1, step)

	spoilt := oneRow(5)
	spoilt.List = slices.Clone(spoilt.List)
	bad := cut(examples(1), [][]int{{0}}, 0).List[0]
	bad.Micro[0].Weights[0] = float32(math.Inf(1))
	spoilt.List[2] = bad
	step, err = failsAt(t, sft.Policy{Model: trial.Model(t, "llama", tensor.Float32)}, spoilt)
	assert.ErrorContains(t, err, "step 3: stage sft: weight of micro-batch 0: got +Inf")
	assert.Equal(t, 3, step)
}

func TestFaultyBatchesAreErrors(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*data.Packed)
		text  string
	}{
		"too large": {func(p *data.Packed) { p.Tokens = slices.Repeat(p.Tokens, 9) }, "72 tokens, want at most 64"},
		"segments":  {func(p *data.Packed) { p.Ends = slices.Repeat(p.Ends, 9) }, "9 segments, want at most 8"},
		"token":     {func(p *data.Packed) { p.Tokens = slices.Clone(p.Tokens); p.Tokens[1] = trial.Vocab }, "61"},
		"target":    {func(p *data.Packed) { p.Targets = slices.Clone(p.Targets); p.Targets[1] = -1 }, "-1"},
		"row":       {func(p *data.Packed) { p.Rows = slices.Clone(p.Rows); p.Rows[1] = 8 }, "8"},
		"positions": {func(p *data.Packed) { p.Positions = p.Positions[:3] }, "positions"},
		"targets":   {func(p *data.Packed) { p.Targets = p.Targets[:3] }, "targets"},
		"weights":   {func(p *data.Packed) { p.Weights = p.Weights[:3] }, "weights"},
	} {
		t.Run(name, func(t *testing.T) {
			src := oneRow(1)
			c.spoil(&src.List[0].Micro[0])
			step, err := failsAt(t, sft.Policy{Model: trial.Model(t, "llama", tensor.Float32)}, src)
			assert.ErrorContains(t, err, c.text)
			assert.ErrorContains(t, err, "step 1: stage sft: micro-batch 0")
			assert.Equal(t, 1, step)
		})
	}
	t.Run("no target", func(t *testing.T) { // counts for nothing, and is not 0/0
		masked := examples(2)
		for i := range masked[1].Mask {
			masked[1].Mask[i] = false
		}
		p := func() sft.Policy { return sft.Policy{Model: trial.Model(t, "llama", tensor.Float64)} }
		o := sft.Options{MicroTokens: 64}
		want := runSteps(t, p(), cut(masked, [][]int{{0}}, 0), o, trial.Loop(1))
		both := runSteps(t, p(), cut(masked, [][]int{{0}, {1}}, 0), o, trial.Loop(1))
		want.Last["num_tokens"] = both.Last["num_tokens"] // it is read
		require.Equal(t, want, both)
		none := cut(masked, [][]int{{1}}, 0)
		none.List[0].Micro[0].Weights = nil
		got := runSteps(t, p(), none, o, trial.Loop(1))
		require.Equal(t, []float64{0}, got.Losses)
		for _, g := range got.Grads {
			require.Zero(t, g)
		}
	})
}
