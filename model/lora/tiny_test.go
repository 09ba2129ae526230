package lora_test

import (
	"testing"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/require"
)

// llamaConfig and gemmaConfig describe tiny models: one with a head of its own,
// one with a tied head and a scaled embedding.
const (
	llamaConfig = `{"model_type":"llama","vocab_size":50,"hidden_size":16,"intermediate_size":24,"num_hidden_layers":2,
		"num_attention_heads":4,"num_key_value_heads":2,"max_position_embeddings":64,"hidden_act":"silu","tie_word_embeddings":false}`
	gemmaConfig = `{"model_type":"gemma3_text","vocab_size":50,"hidden_size":16,"intermediate_size":24,"num_hidden_layers":2,
		"num_attention_heads":4,"num_key_value_heads":2,"head_dim":4,"max_position_embeddings":64,"hidden_activation":"gelu_pytorch_tanh",
		"query_pre_attn_scalar":4,"sliding_window":8,"layer_types":["sliding_attention","full_attention"],"tie_word_embeddings":true}`
)

// tiny makes a random model. Its weights are large enough for every layer to
// matter.
func tiny(t testing.TB, config string, dt tensor.Dtype) model.Model {
	t.Helper()
	c, family, err := auto.ParseConfig([]byte(config))
	require.NoError(t, err)
	m, err := family.New(c, model.NewLoader(c, model.Random{Seed: 1, Std: 0.3, Jitter: 0.1}, model.LoadOptions{Weights: dt}))
	require.NoError(t, err)
	return m
}

var tinyRows = [][]int32{{3, 1, 4, 1, 5, 9, 2, 6, 5, 3}, {2, 7, 1, 8}}

// everywhere adapts every layer that can be.
var everywhere = lora.Config{Rank: 3, Targets: []string{lora.AllLinear, "embed_tokens", "lm_head"}, Seed: 7}

// scramble gives every parameter of an adapter values that are not zero.
func scramble(a *lora.Adapter) {
	k := 0
	for _, p := range a.Params() {
		v := make([]float64, p.Len())
		for i := range v {
			k++
			v[i] = float64(k*7919%101-50) / 250
		}
		p.Set(v)
	}
}

// compute runs m with an adapter.
func compute(t testing.TB, m model.Model, adapter string) *modeltest.Pass {
	t.Helper()
	p, err := modeltest.Compute(m, tinyRows, modeltest.PassOptions{Adapter: adapter, Logits: true})
	require.NoError(t, err)
	return p
}

// values are the parameters of an adapter by name.
func values(a *lora.Adapter) map[string][]float32 {
	v := map[string][]float32{}
	for name, p := range a.Params() {
		v[name] = p.Float32s()
	}
	return v
}
