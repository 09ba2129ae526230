package rlhf_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/tensor"
)

// threeTexts are three texts of eight random tokens, every one but the first of each
// scored.
func threeTexts(rng *rand.Rand) *data.Packed {
	b := &data.Packed{}
	for s := range int32(3) {
		for k := range int32(8) {
			b.Tokens, b.Positions = append(b.Tokens, rng.Int32N(trial.Vocab)), append(b.Positions, k)
			if k > 0 {
				b.Rows, b.Targets = append(b.Rows, s*8+k-1), append(b.Targets, b.Tokens[len(b.Tokens)-1])
			}
		}
		b.Ends, b.Prefix = append(b.Ends, (s+1)*8), append(b.Prefix, -1)
	}
	return b
}

// languageModel is the trust region of a model's adapter, which is still zero, so that
// π_old is the model without it.
func languageModel(t *testing.T, p rlhf.Policy, rng *rand.Rand) rlhf.TrustPrograms {
	t.Helper()
	texts := threeTexts(rng)
	n := len(texts.Rows)
	params := policy.Policy(p).Params()
	require.NoError(t, policy.MakeTrainable(params))
	program := func(build func(now, old tensor.Distribution, in *policy.Texts, weight *tensor.Node) *tensor.Node, weights []float64) rlhf.TrustProgram {
		var in policy.Texts
		var weight, seed policy.Number
		var value *tensor.Node
		var acc []tensor.Accumulation
		dt := policy.Precision(p.Model)
		g, err := tensor.Build(func(g *tensor.Graph) {
			in.Declare(g, policy.Size{Tokens: len(texts.Tokens), Segments: 3, Targets: n})
			now, before := in.Inputs(p.AdapterName()), in.Inputs("")
			value = build(model.Distribution(p.Model, now, p.Model.Hidden(g, now)), model.Distribution(p.Model, before, p.Model.Hidden(g, before)),
				&in, weight.Declare(g, dt, "weight", n))
			acc = policy.Gradients(g, value, seed.Declare(g, dt, "seed", 1), params)
		})
		require.NoError(t, err)
		run, err := tensor.Compile(g, tensor.Nodes{value}, tensor.CompileOptions{Accumulate: acc})
		require.NoError(t, err)
		require.NoError(t, policy.BindInts(run, policy.Ints{Node: in.Tokens, Values: texts.Tokens}, policy.Ints{Node: in.Positions, Values: texts.Positions},
			policy.Ints{Node: in.Ends, Values: texts.Ends}, policy.Ints{Node: in.Prefix, Values: texts.Prefix},
			policy.Ints{Node: in.Rows, Values: texts.Rows}, policy.Ints{Node: in.Targets, Values: texts.Targets}))
		require.NoError(t, weight.Bind(run, weights...))
		require.NoError(t, seed.Bind(run, 1))
		return rlhf.TrustProgram{Program: run, Value: value}
	}
	return rlhf.TrustPrograms{
		Params: params,
		Gain: program(func(now, old tensor.Distribution, in *policy.Texts, weight *tensor.Node) *tensor.Node {
			before := tensor.Detach(old.LogProbs(in.Rows, in.Targets).LogProb)
			return tensor.MaskedSum(tensor.Exp(tensor.Sub(now.LogProbs(in.Rows, in.Targets).LogProb, before)), weight)
		}, normal(rng, n, 1/float64(n))), // advantages over n
		Penalty: program(func(now, old tensor.Distribution, in *policy.Texts, weight *tensor.Node) *tensor.Node {
			return tensor.MaskedSum(tensor.TokenKL(now, old, in.Rows).ReferenceToPolicy, weight)
		}, filled(n, 1/float64(n))),
	}
}

// TRPO moves the adapter of a transformer, in either precision: the surrogate rises and
// the KL over the vocabulary stays within its bound.
func TestTRPOOnALanguageModel(t *testing.T) {
	for _, c := range []struct {
		dt         tensor.Dtype
		difference float64
	}{{tensor.Float64, 1e-5}, {tensor.Float32, 3e-3}} {
		t.Run(fmt.Sprint(c.dt), func(t *testing.T) {
			region := languageModel(t, adapted(t, trial.Model(t, "llama", c.dt), true), rand.New(rand.NewPCG(1, 21)))
			step, err := rlhf.TRPO{Difference: c.difference}.Step(region)
			require.NoError(t, err)
			t.Logf("gain %.4f (linear model %.4f), KL %.5f, %d backtracks", step.Gain, step.Expected, step.KL, step.Backtracks)
			assert.True(t, step.Accepted)
			assert.LessOrEqual(t, step.KL, 0.01)
			assert.Greater(t, step.KL, 0.001)
			assert.Greater(t, step.Gain, 0.3*step.Expected)
		})
	}
}
