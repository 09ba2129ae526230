package dpo_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

func TestOptionsReportAllFaults(t *testing.T) {
	m := trial.Model(t, "llama", tensor.Float32)
	err := dpo.Options{
		Beta: -1, LDAlpha: new(1.5), MicroTokens: 1, MaxPairs: -1, Divergence: dpo.Alpha{Coef: math.NaN()},
		Loss: dpo.Sum{
			{Loss: dpo.WPO{}, Weight: 1}, {Weight: 1}, {Loss: dpo.Sigmoid{}, Weight: math.Inf(1)}, {Loss: dpo.Robust{LabelSmoothing: 0.5}, Weight: 1},
			{Loss: dpo.EXO{LabelSmoothing: -1}}, {Loss: dpo.DiscoPOP{Temperature: -1}}, {Loss: dpo.IPO{Over: 9}},
		},
		Reference: dpo.Reference{Base: true, Model: m, Adapter: "no"},
	}.Validate()
	require.ErrorIs(t, err, dpo.ErrOptions)
	for _, fault := range []string{
		"Beta: got -1", "LDAlpha: got 1.5", "MicroTokens: got 1", "MaxPairs: got -1", "Coef is NaN", "WPO: Of: got no loss", "Sum[1]: got no Loss",
		"Weight of sigmoid is +Inf", "Robust: LabelSmoothing is 0.5", "EXO: LabelSmoothing is -1", "Temperature is -1", "Over is 9",
		"got Base and Model", `Adapter: got "no", which is not attached`,
	} {
		assert.ErrorContains(t, err, fault)
	}
	require.NoError(t, dpo.Options{}.Validate())
	require.ErrorContains(t, dpo.Options{Loss: dpo.Sum{}}.Validate(), "got no loss")
}

func TestNewRefuses(t *testing.T) {
	src := batcher(t, somePairs(5), dpo.BatchOptions{})
	m := trial.Model(t, "llama", tensor.Float32)
	removed, err := lora.Attach(m, "gone", lora.Config{})
	require.NoError(t, err)
	removed.Remove()
	custom := func(f func(in dpo.LogProbs) *tensor.Node) dpo.Options {
		return dpo.Options{Loss: dpo.LossFunc(func(_ *tensor.Graph, in dpo.LogProbs) dpo.Terms { return dpo.Terms{Loss: f(in)} })}
	}
	for name, c := range map[string]struct {
		p    dpo.Policy
		src  dpo.StepSource
		o    dpo.Options
		loop train.Options
		text string
	}{
		"no model":        {src: src, text: "Policy.Model"},
		"no source":       {p: dpo.Policy{Model: m}, text: "no source"},
		"options":         {p: dpo.Policy{Model: m}, src: src, o: dpo.Options{Beta: -1}, loop: train.Options{MaxSteps: -1}, text: "MaxSteps"},
		"gone adapter":    {p: dpo.Policy{Model: m, Adapter: removed}, src: src, text: "not attached"},
		"own evaluation":  {p: dpo.Policy{Model: m}, src: src, o: dpo.Options{EvalData: src}, text: "source that is trained on"},
		"endless":         {p: dpo.Policy{Model: m}, src: src, o: dpo.Options{EvalData: batcher(t, somePairs(3), dpo.BatchOptions{})}, text: "never ends"},
		"bad loss":        {p: dpo.Policy{Model: m}, src: src, o: custom(func(in dpo.LogProbs) *tensor.Node { return tensor.Sum(in.Chosen) }), text: "want one number a pair"},
		"loss of nothing": {p: dpo.Policy{Model: m}, src: src, o: custom(func(in dpo.LogProbs) *tensor.Node { return in.RefChosen }), text: "does not depend on parameter"},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.MemoryLimit = -1
			_, err := dpo.New(c.p, c.src, c.o, c.loop)
			require.ErrorContains(t, err, c.text)
		})
	}
}

func TestTooLittleMemoryIsRefusedWithNumbers(t *testing.T) {
	p := adapted(t, trial.Model(t, "llama", tensor.Float32), true)
	_, err := dpo.New(p, steps(t), dpo.Options{MemoryLimit: 1000}, trial.Loop(1))
	require.ErrorIs(t, err, dpo.ErrMemory)
	require.ErrorContains(t, err, "activations")
	tr, err := dpo.New(p, steps(t), dpo.Options{}, trial.Loop(1))
	require.NoError(t, err)
	got, err := tr.Memory()
	require.NoError(t, err)
	want, err := dpo.PlanMemory(p, dpo.Options{MicroTokens: 64, MaxPairs: 4})
	require.NoError(t, err)
	require.Equal(t, want, got, "the plan is what is allocated")
}

func TestMicroBatchesThatDoNotFitAreRefused(t *testing.T) {
	var b dpo.Batch
	for i, p := range somePairs(3) {
		b.Add(p, int32(i))
	}
	p := adapted(t, trial.Model(t, "llama", tensor.Float32), true)
	tr, err := dpo.New(p, &trial.Steps[dpo.Step]{List: []dpo.Step{{Micro: []dpo.Batch{b}}}}, dpo.Options{MaxPairs: 2}, trial.Loop(1))
	require.NoError(t, err)
	for _, err := range tr.Steps(t.Context()) {
		require.ErrorContains(t, err, "want at most")
	}
}
