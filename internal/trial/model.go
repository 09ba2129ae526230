package trial

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/gemma"
	"github.com/posttrain/posttrain/model/llama"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/model/qwen"
	"github.com/posttrain/posttrain/tensor"
)

// Vocab is the number of ids of all models but the wide one; the last ends a text.
const Vocab = 61

// configs are tiny models of the families, with and without a sliding window, tied and
// untied.
var configs = map[string]string{
	"llama": `{"model_type": "llama", "vocab_size": 61, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
		"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64, "eos_token_id": 60}`,
	// wide is large enough for kernels to be cut into pieces.
	"wide": `{"model_type": "llama", "vocab_size": 1500, "hidden_size": 96, "intermediate_size": 160, "num_hidden_layers": 2,
		"num_attention_heads": 4, "max_position_embeddings": 64}`,
	"qwen3": `{"model_type": "qwen3", "vocab_size": 61, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
		"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 12, "max_position_embeddings": 64, "tie_word_embeddings": true, "eos_token_id": 60}`,
	"qwen3_moe": `{"model_type": "qwen3_moe", "vocab_size": 61, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
		"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 12, "max_position_embeddings": 64,
		"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 8, "eos_token_id": 60}`,
	"gemma3_text": `{"model_type": "gemma3_text", "vocab_size": 61, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
		"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "max_position_embeddings": 64, "sliding_window": 5,
		"layer_types": ["sliding_attention", "full_attention"], "query_pre_attn_scalar": 8, "final_logit_softcapping": 20, "eos_token_id": 60}`,
}

// Families are those whose layouts differ: plain, with tied embeddings, and with a
// sliding window and capped logits.
func Families() []string { return []string{"gemma3_text", "llama", "qwen3"} }

// Config is the config.json of a family's tiny model.
func Config(family string) string { return configs[family] }

// Model is a tiny one with random weights: one of Families, "qwen3_moe" or "wide".
func Model(t testing.TB, family string, dt tensor.Dtype) model.Model {
	t.Helper()
	all := slices.Concat(llama.Families(), qwen.Families(), gemma.Families())
	i := slices.IndexFunc(all, func(f model.Family) bool { return strings.Contains(configs[family], `"`+f.ModelType+`"`) })
	require.GreaterOrEqual(t, i, 0, family)
	m, err := modeltest.Tiny(all[i], configs[family], 1, dt)
	require.NoError(t, err)
	return m
}

// Adapter attaches one of rank 4 called "default", with random values unless it is to
// be zero.
func Adapter(t testing.TB, m model.Model, c lora.Config, zero bool) *lora.Adapter {
	t.Helper()
	c.Rank = 4
	a, err := lora.Attach(m, "default", c)
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(3, 4))
	for _, p := range a.Params() {
		if !zero {
			Randomise(t, p, 0.2, rng)
		}
	}
	return a
}

// Randomise draws values from a normal distribution of that spread.
func Randomise(t testing.TB, p *tensor.Param, spread float64, rng *rand.Rand) {
	t.Helper()
	v := make([]float64, p.Len())
	for i := range v {
		v[i] = spread * rng.NormFloat64()
	}
	require.NoError(t, p.Set(v))
}

// IDs are n random ids below vocab.
func IDs(rng *rand.Rand, n, vocab int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = rng.Int32N(int32(vocab))
	}
	return out
}
