package dpo_test

import (
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/gemma"
	"github.com/posttrain/posttrain/model/llama"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/model/qwen"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

const tinyVocab = 61

// configs are tiny models of the families, with and without a sliding window.
var configs = map[string]string{
	"llama": `{"model_type": "llama", "vocab_size": 61, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
		"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64}`,
	"qwen3": `{"model_type": "qwen3", "vocab_size": 61, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
		"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 12, "max_position_embeddings": 64, "tie_word_embeddings": true}`,
	"gemma3_text": `{"model_type": "gemma3_text", "vocab_size": 61, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
		"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "max_position_embeddings": 64, "sliding_window": 5,
		"layer_types": ["sliding_attention", "full_attention"], "query_pre_attn_scalar": 8}`,
}

func tinyModel(t testing.TB, family string, dt tensor.Dtype) model.Model {
	t.Helper()
	all := slices.Concat(llama.Families(), qwen.Families(), gemma.Families())
	i := slices.IndexFunc(all, func(f model.Family) bool { return strings.Contains(configs[family], `"`+f.ModelType+`"`) })
	require.GreaterOrEqual(t, i, 0, family)
	m, err := modeltest.Tiny(all[i], configs[family], 1, dt)
	require.NoError(t, err)
	return m
}

// adapted is a policy with an adapter, zero or not.
func adapted(t testing.TB, m model.Model, zero bool) dpo.Policy {
	t.Helper()
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

// somePairs are n pairs of unequal lengths.
func somePairs(n int) []dpo.Pair {
	rng := rand.New(rand.NewPCG(5, 6))
	ids := func(n int) []int32 {
		out := make([]int32, n)
		for i := range out {
			out[i] = rng.Int32N(tinyVocab)
		}
		return out
	}
	list := make([]dpo.Pair, n)
	for i := range list {
		list[i] = dpo.Pair{Prompt: ids(1 + i*5%9), Chosen: ids(1 + i*3%7), Rejected: ids(1 + i*4%8)}
		list[i].At.Line = i + 1
	}
	return list
}

func batcher(t testing.TB, pairs []dpo.Pair, o dpo.BatchOptions) *dpo.Batcher {
	t.Helper()
	b, err := dpo.NewBatcher(pairs, o)
	require.NoError(t, err)
	return b
}

// fixedSteps yields given steps.
type fixedSteps struct {
	steps []dpo.Step
	at    int
}

// Next implements dpo.StepSource.
func (f *fixedSteps) Next(step *dpo.Step) error {
	if f.at == len(f.steps) {
		return io.EOF
	}
	*step = f.steps[f.at]
	f.at++
	return nil
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
func runSteps(t testing.TB, p dpo.Policy, src dpo.StepSource, o dpo.Options, loop train.Options) outcome {
	t.Helper()
	tr, err := dpo.New(p, src, o, loop)
	require.NoError(t, err)
	var out outcome
	for s, err := range tr.Steps(t.Context()) {
		require.NoError(t, err)
		out.losses = append(out.losses, s.Loss)
	}
	for _, p := range tr.Parameters() {
		for _, v := range p.Grad() {
			out.grads = append(out.grads, float64(v))
		}
		for _, v := range p.Data() {
			out.values = append(out.values, float64(v))
		}
		if wide, ok := p.(train.Parameter64); ok {
			out.grads, out.values = append(out.grads, wide.Grad64()...), append(out.values, wide.Data64()...)
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
