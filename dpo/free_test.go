package dpo_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/tensor"
)

// freeLosses are those that need no reference.
func freeLosses() (list []dpo.Loss) {
	for _, l := range dpo.Losses() {
		if l.(dpo.Described).Traits(0.1).ReferenceFree {
			list = append(list, l)
		}
	}
	return append(list, dpo.Sum{{Loss: dpo.SimPO{}, Weight: 1}, {Loss: dpo.NLL{}, Weight: 0.5}}, dpo.WPO{Of: dpo.SimPO{}})
}

// A run of such a loss has no reference: it trains all weights from a source that
// could not be scored beforehand, and a sum with DPO does have one.
func TestReferenceFreeRunsComputeNoReference(t *testing.T) {
	var b dpo.Batch
	for i, p := range somePairs(4) {
		b.AddShared(p, int32(i))
	}
	for _, l := range freeLosses() {
		src := &trial.Steps[dpo.Step]{List: []dpo.Step{{Micro: []dpo.Batch{b}}}}
		tr, err := dpo.New(dpo.Policy{Model: trial.Model(t, "llama", tensor.Float32)}, src, dpo.Options{Loss: l}, trial.Loop(1))
		require.NoError(t, err, l.Name())
		for s, err := range tr.Steps(t.Context()) {
			require.NoError(t, err, l.Name())
			chosen, ok := s.Metrics.Value("rewards/chosen")
			require.True(t, ok)
			assert.Negative(t, chosen, "%s: β times a log-probability, or a function of it", l.Name())
		}
	}
	_, err := dpo.New(dpo.Policy{Model: trial.Model(t, "llama", tensor.Float32)}, &trial.Steps[dpo.Step]{},
		dpo.Options{Loss: dpo.Sum{{Loss: dpo.SimPO{}, Weight: 1}, {Loss: dpo.Sigmoid{}, Weight: 1}}}, trial.Loop(1))
	require.ErrorContains(t, err, "Batcher")
}

// ORPO learns prompts too: computed once and shared, or once for each answer.
func TestORPOLearnsSharedPrompts(t *testing.T) {
	one := func(separate bool, micro int) trial.Outcome {
		src := batcher(t, somePairs(6), dpo.BatchOptions{PairsPerStep: 6, Separate: separate, Sequential: true, TokensPerMicro: micro})
		return runSteps(t, adapted(t, trial.Model(t, "llama", tensor.Float64), false), src, dpo.Options{Loss: dpo.ORPO{}}, trial.Loop(1))
	}
	separate := one(true, 256)
	for _, other := range []trial.Outcome{one(false, 256), one(false, 24), one(true, 40)} {
		trial.Close(t, separate.Losses, other.Losses, layoutTol64, "loss")
		trial.Close(t, separate.Grads, other.Grads, layoutTol64, "gradient")
	}
	// Without the prompt it would be another loss.
	rest := runSteps(t, adapted(t, trial.Model(t, "llama", tensor.Float64), false),
		batcher(t, somePairs(6), dpo.BatchOptions{PairsPerStep: 6, Sequential: true}),
		dpo.Options{Loss: dpo.LossFunc(func(g *tensor.Graph, in dpo.LogProbs) dpo.Terms {
			in.PromptLikelihood, in.MeanTextTokens = tensor.Scale(in.ChosenLikelihood, 0), in.MeanChosenTokens
			return dpo.ORPO{}.Build(g, in)
		}), Reference: dpo.Reference{Base: true}}, trial.Loop(1))
	assert.Greater(t, diff(separate.Losses[0], rest.Losses[0]), 1e-3)
}

// An answer that is certain, and one that is empty, leave ORPO finite (trap T23).
func TestORPOOfCertainAnswersIsFinite(t *testing.T) {
	pairs := somePairs(3)
	pairs[0].Rejected = nil
	src := batcher(t, pairs, dpo.BatchOptions{PairsPerStep: 3})
	got := runSteps(t, adapted(t, trial.Model(t, "llama", tensor.Float32), true), src, dpo.Options{Loss: dpo.ORPO{}}, trial.Loop(2))
	for _, v := range append(got.Losses, got.Values...) {
		assert.False(t, v != v || v-v != 0, "got %v", v)
	}
}

func TestFaultyHyperparametersOfReferenceFreeLosses(t *testing.T) {
	for text, l := range map[string]dpo.Loss{
		"CPO: LabelSmoothing is 0.5":   dpo.CPO{LabelSmoothing: 0.5},
		"CPOHinge: NLLWeight is -1":    dpo.CPOHinge{NLLWeight: new(-1.0)},
		"CPOIPO: NLLWeight is -1":      dpo.CPOIPO{NLLWeight: new(-1.0)},
		"SimPO: LabelSmoothing is -1":  dpo.SimPO{LabelSmoothing: -1},
		"AlphaPO: Over is 7":           dpo.AlphaPO{Over: 7},
		"Positive: Penalty is -1":      dpo.Positive{Penalty: -1},
		"AlphaPO: LabelSmoothing is 2": dpo.AlphaPO{LabelSmoothing: 2},
	} {
		require.ErrorContains(t, dpo.Options{Loss: l}.Validate(), text)
	}
}
