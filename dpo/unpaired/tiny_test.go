package unpaired_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/unpaired"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/llama"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

const (
	tinyVocab  = 61
	tinyConfig = `{"model_type": "llama", "vocab_size": 61, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
		"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64}`
)

func tinyModel(t testing.TB, dt tensor.Dtype) model.Model {
	t.Helper()
	i := slices.IndexFunc(llama.Families(), func(f model.Family) bool { return strings.Contains(tinyConfig, `"`+f.ModelType+`"`) })
	require.GreaterOrEqual(t, i, 0)
	m, err := modeltest.Tiny(llama.Families()[i], tinyConfig, 1, dt)
	require.NoError(t, err)
	return m
}

// adapted is a policy with an adapter, zero or not.
func adapted(t testing.TB, dt tensor.Dtype, zero bool) dpo.Policy {
	t.Helper()
	m := tinyModel(t, dt)
	a, err := lora.Attach(m, "default", lora.Config{Rank: 4})
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(3, 4))
	for _, p := range a.Params() {
		if zero {
			break
		}
		v := make([]float64, p.Len())
		for i := range v {
			v[i] = 0.2 * rng.NormFloat64()
		}
		require.NoError(t, p.Set(v))
	}
	return dpo.Policy{Model: m, Adapter: a}
}

// someRows are n rows of unequal lengths.
func someRows(n int) []unpaired.Row {
	rng := rand.New(rand.NewPCG(5, 6))
	ids := func(n int) []int32 {
		out := make([]int32, n)
		for i := range out {
			out[i] = rng.Int32N(tinyVocab)
		}
		return out
	}
	list := make([]unpaired.Row, n)
	for i := range list {
		list[i] = unpaired.Row{Prompt: ids(1 + i*5%9), Completion: ids(1 + i*3%7), Desirable: i%3 != 1, Likeness: 0.1 + 0.8*rng.Float64()}
		list[i].At.Line = i + 1
	}
	return list
}

func batcher(t testing.TB, rows []unpaired.Row, o unpaired.BatchOptions) *unpaired.Batcher {
	t.Helper()
	b, err := unpaired.NewBatcher(rows, o)
	require.NoError(t, err)
	return b
}

// plain are loop options under which steps can be compared: no clipping, a
// constant rate.
func plain(steps int) train.Options {
	return train.Options{Optimizer: train.AdamW{LR: 1e-2}, Schedule: train.Constant{}, MaxGradNorm: new(0.0), MaxSteps: steps}
}

// outcome is what a run computed.
type outcome struct {
	losses []float64
	grads  []float64 // of the last step
	values []float64 // trained weights
}

// runSteps trains to the end.
func runSteps(t testing.TB, p dpo.Policy, src unpaired.StepSource, o unpaired.Options, loop train.Options) outcome {
	t.Helper()
	tr, err := unpaired.New(p, src, o, loop)
	require.NoError(t, err)
	var out outcome
	for s, err := range tr.Steps(t.Context()) {
		require.NoError(t, err)
		out.losses = append(out.losses, s.Loss)
	}
	for _, p := range tr.Parameters() {
		if wide, ok := p.(train.Parameter64); ok && wide.Data64() != nil {
			out.grads, out.values = append(out.grads, wide.Grad64()...), append(out.values, wide.Data64()...)
			continue
		}
		for i, v := range p.Data() {
			out.grads, out.values = append(out.grads, float64(p.Grad()[i])), append(out.values, float64(v))
		}
	}
	return out
}

// closeTo compares lists relative to the largest number wanted.
func closeTo(t *testing.T, want, got []float64, tol float64, what string) {
	t.Helper()
	require.Len(t, got, len(want), what)
	size := 0.0
	for _, v := range want {
		size = max(size, v, -v)
	}
	require.Positive(t, size, what)
	for i := range want {
		require.InDelta(t, want[i], got[i], tol*size, "%s %d", what, i)
	}
}
