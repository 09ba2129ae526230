package sft_test

import (
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/gemma"
	"github.com/posttrain/posttrain/model/llama"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/model/qwen"
	"github.com/posttrain/posttrain/sft"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

const tinyVocab = 61

// configs are tiny models of the families, tied and untied.
var configs = map[string]string{
	"llama": `{"model_type": "llama", "vocab_size": 61, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
		"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64}`,
	// wide is large enough for kernels to be cut into pieces.
	"wide": `{"model_type": "llama", "vocab_size": 1500, "hidden_size": 96, "intermediate_size": 160, "num_hidden_layers": 2,
		"num_attention_heads": 4, "max_position_embeddings": 64}`,
	"qwen3": `{"model_type": "qwen3", "vocab_size": 61, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
		"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 12, "max_position_embeddings": 64, "tie_word_embeddings": true}`,
	"qwen3_moe": `{"model_type": "qwen3_moe", "vocab_size": 61, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
		"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 12, "max_position_embeddings": 64,
		"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 8}`,
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

// adapted is a policy with an adapter that is not zero.
func adapted(t testing.TB, m model.Model, c lora.Config) sft.Policy {
	t.Helper()
	c.Rank = 4
	a, err := lora.Attach(m, "default", c)
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(3, 4))
	for _, p := range a.Params() {
		v := make([]float64, p.Len())
		for i := range v {
			v[i] = 0.2 * rng.NormFloat64()
		}
		require.NoError(t, p.Set(v))
	}
	return sft.Policy{Model: m, Adapter: a}
}

// examples are n rows of unequal lengths; the first third of a row is a prompt.
func examples(n int) []data.Example {
	rng := rand.New(rand.NewPCG(5, 6))
	list := make([]data.Example, n)
	for i := range list {
		e := &list[i]
		length := 3 + (i*7)%12
		for j := range length {
			e.IDs, e.Mask = append(e.IDs, rng.Int32N(tinyVocab)), append(e.Mask, j >= length/3)
			e.Roles = append(e.Roles, 0)
		}
	}
	return list
}

func dataset(t testing.TB, list []data.Example) *data.Dataset {
	t.Helper()
	var set data.Dataset
	for _, e := range list {
		require.NoError(t, set.Append(e))
	}
	return &set
}

func batcher(t testing.TB, n int, o data.BatchOptions) *data.Batcher {
	t.Helper()
	b, err := data.NewBatcher(dataset(t, examples(n)), o)
	require.NoError(t, err)
	return b
}

// fixedSteps yields given steps.
type fixedSteps struct {
	steps []data.Step
	at    int
}

// Next implements data.StepSource.
func (f *fixedSteps) Next(step *data.Step) error {
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
func runSteps(t testing.TB, p sft.Policy, src data.StepSource, o sft.Options, loop train.Options) outcome {
	t.Helper()
	tr, err := sft.New(p, src, o, loop)
	require.NoError(t, err)
	var out outcome
	for s, err := range tr.Steps(t.Context()) {
		require.NoError(t, err)
		out.losses = append(out.losses, s.Loss)
	}
	out.grads, out.values = parameters(tr)
	return out
}

// parameters lists all gradients and all values, in float64.
func parameters(tr *sft.Trainer) (grads, values []float64) {
	for _, p := range tr.Parameters() {
		for _, v := range p.Grad() {
			grads = append(grads, float64(v))
		}
		for _, v := range p.Data() {
			values = append(values, float64(v))
		}
		if wide, ok := p.(train.Parameter64); ok {
			grads, values = append(grads, wide.Grad64()...), append(values, wide.Data64()...)
		}
	}
	return grads, values
}
