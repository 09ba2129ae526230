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

// cachedTol, relative, is what log-probabilities of differently packed batches may
// change losses by.
const cachedTol = 1e-5

func steps(t *testing.T) *dpo.Batcher {
	return batcher(t, somePairs(12), dpo.BatchOptions{PairsPerStep: 4, TokensPerMicro: 64, Seed: 1})
}

// With a fresh adapter the reference is the base model; a frozen copy of that
// adapter, which is zero, gives the same bits, and so does another instance of the
// model.
func TestReferencesAgreeBitForBit(t *testing.T) {
	fresh := func() dpo.Policy { return adapted(t, trial.Model(t, "qwen3", tensor.Float32), true) }
	want := runSteps(t, fresh(), steps(t), dpo.Options{}, trial.Loop(4))
	assert.InDelta(t, math.Ln2, want.Losses[0], 1e-6, "DPO starts at ln 2")
	assert.NotEqual(t, want.Losses[0], want.Losses[3], "the policy moves")

	p := fresh()
	_, err := p.Adapter.Clone("frozen")
	require.NoError(t, err)
	for name, r := range map[string]dpo.Reference{
		"base":          {Base: true},
		"frozen copy":   {Model: p.Model, Adapter: "frozen"},
		"another model": {Model: trial.Model(t, "qwen3", tensor.Float32)},
	} {
		from := fresh()
		if name == "frozen copy" {
			from = p
		}
		assert.Equal(t, want, runSteps(t, from, steps(t), dpo.Options{Reference: r}, trial.Loop(4)), name)
	}
	cached := runSteps(t, fresh(), steps(t), dpo.Options{Reference: dpo.Reference{Cached: true}}, trial.Loop(4))
	trial.Close(t, want.Losses, cached.Losses, cachedTol, "loss with a cache")
}

// After fine-tuning, with an adapter that is not zero, the reference is the policy
// as it stands, not the base model (trap T24).
func TestReferenceOfAnAdapterIsItsCopy(t *testing.T) {
	p := adapted(t, trial.Model(t, "llama", tensor.Float32), false)
	tr, err := dpo.New(p, steps(t), dpo.Options{}, trial.Loop(3))
	require.NoError(t, err)
	n := 0
	for s, err := range tr.Steps(t.Context()) {
		require.NoError(t, err)
		margin, ok := s.Metrics.Value("rewards/margins")
		require.True(t, ok)
		if n == 0 {
			assert.InDelta(t, math.Ln2, s.Loss, 1e-6)
			assert.Zero(t, margin)
		} else {
			assert.NotZero(t, margin)
		}
		n++
	}
	assert.Equal(t, 3, n)
	base := runSteps(t, adapted(t, trial.Model(t, "llama", tensor.Float32), false), steps(t), dpo.Options{Reference: dpo.Reference{Base: true}}, trial.Loop(1))
	assert.Greater(t, math.Abs(base.Losses[0]-math.Ln2), 1e-3, "against the base the margin is not zero")
}

// All weights are trained against log-probabilities of the start.
func TestFullTrainingRemembersItsStart(t *testing.T) {
	got := runSteps(t, dpo.Policy{Model: trial.Model(t, "llama", tensor.Float32)}, steps(t), dpo.Options{}, trial.Loop(4))
	want := runSteps(t, dpo.Policy{Model: trial.Model(t, "llama", tensor.Float32)}, steps(t),
		dpo.Options{Reference: dpo.Reference{Model: trial.Model(t, "llama", tensor.Float32)}}, trial.Loop(4))
	trial.Close(t, want.Losses, got.Losses, cachedTol, "loss")
	_, err := dpo.New(dpo.Policy{Model: trial.Model(t, "llama", tensor.Float32)}, &trial.Steps[dpo.Step]{}, dpo.Options{}, trial.Loop(1))
	require.ErrorContains(t, err, "cannot list its pairs")
}

// liar declares another value than it has.
type liar struct{ dpo.Sigmoid }

func (liar) Traits(float64) dpo.Traits { return dpo.Traits{Known: true, AtReference: 1} }

func TestTheFirstStepIsChecked(t *testing.T) {
	tr, err := dpo.New(adapted(t, trial.Model(t, "llama", tensor.Float32), true), steps(t), dpo.Options{Loss: liar{}}, trial.Loop(1))
	require.NoError(t, err)
	for _, err := range tr.Steps(t.Context()) {
		require.ErrorIs(t, err, dpo.ErrReference)
		require.ErrorContains(t, err, "want 1 as it declares")
	}
	// A policy that is changed behind the trainer's back is noticed too.
	p := adapted(t, trial.Model(t, "llama", tensor.Float32), true)
	tr, err = dpo.New(p, steps(t), dpo.Options{}, trial.Loop(1))
	require.NoError(t, err)
	for _, q := range p.Adapter.Params() {
		v := make([]float64, q.Len())
		for i := range v {
			v[i] = 0.1
		}
		require.NoError(t, q.Set(v))
	}
	for _, err := range tr.Steps(t.Context()) {
		require.ErrorIs(t, err, dpo.ErrReference)
		require.ErrorContains(t, err, "log-ratio")
	}
}

// Every loss starts at the value it declares, through model and trainer.
func TestEveryLossStartsWhereItSays(t *testing.T) {
	for _, l := range dpo.Losses() {
		for _, d := range []dpo.Divergence{dpo.ReverseKL{}, dpo.ForwardKL{}, dpo.JensenShannon{}, dpo.Alpha{Coef: 0.5}} {
			src := batcher(t, somePairs(4), dpo.BatchOptions{PairsPerStep: 4})
			got := runSteps(t, adapted(t, trial.Model(t, "llama", tensor.Float32), true), src, dpo.Options{Loss: l, Divergence: d, Beta: 0.3}, trial.Loop(1))
			if want := l.(dpo.Described).Traits(0.3); want.Known {
				assert.InDelta(t, want.AtReference, got.Losses[0], 1e-5*max(1, want.AtReference), "%s with %s", l.Name(), d.Name())
			}
		}
	}
}

// The pairs are learnt: chosen answers end up preferred, on held-out walks over
// the same pairs too.
func TestPreferencesAreLearnt(t *testing.T) {
	m := trial.Model(t, "llama", tensor.Float32)
	a, err := lora.Attach(m, "default", lora.Config{Rank: 8})
	require.NoError(t, err)
	eval := batcher(t, somePairs(8), dpo.BatchOptions{PairsPerStep: 8, Epochs: 1, Sequential: true})
	loop := train.Options{Optimizer: train.AdamW{LR: 1e-2}, MaxSteps: 40}
	tr, err := dpo.New(dpo.Policy{Model: m, Adapter: a}, batcher(t, somePairs(8), dpo.BatchOptions{PairsPerStep: 8}), dpo.Options{Beta: 0.5, EvalData: eval}, loop)
	require.NoError(t, err)
	var accuracy []float64
	require.NoError(t, tr.Train(t.Context(), train.Hooks{Event: func(e train.Event) error {
		if e.Kind == train.EventEval {
			v, ok := e.Metrics.Value("eval_rewards/accuracies")
			require.True(t, ok)
			accuracy = append(accuracy, v)
		}
		return nil
	}}))
	require.Len(t, accuracy, 2)
	assert.Equal(t, []float64{0, 1}, accuracy, "ties count as wrong at the start; all pairs are in order at the end")
}
