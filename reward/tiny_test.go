package reward_test

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
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

const tinyVocab = 61

// configs are tiny models of the families, with and without a sliding window,
// tied and untied.
var configs = map[string]string{
	"llama": `{"model_type": "llama", "vocab_size": 61, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
		"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64}`,
	"qwen3": `{"model_type": "qwen3", "vocab_size": 61, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
		"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 12, "max_position_embeddings": 64, "tie_word_embeddings": true}`,
	"gemma3_text": `{"model_type": "gemma3_text", "vocab_size": 61, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
		"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "max_position_embeddings": 64, "sliding_window": 5,
		"layer_types": ["sliding_attention", "full_attention"], "query_pre_attn_scalar": 8}`,
}

// tinyNet is a random model with a random head.
func tinyNet(t testing.TB, family string, dt tensor.Dtype, labels int) reward.Net {
	t.Helper()
	all := slices.Concat(llama.Families(), qwen.Families(), gemma.Families())
	i := slices.IndexFunc(all, func(f model.Family) bool { return strings.Contains(configs[family], `"`+f.ModelType+`"`) })
	require.GreaterOrEqual(t, i, 0, family)
	m, err := modeltest.Tiny(all[i], configs[family], 1, dt)
	require.NoError(t, err)
	h, err := model.NewHead(m, model.SequenceClassification, model.Labels(labels), 2)
	require.NoError(t, err)
	randomise(t, h.Linear.Weight)
	return reward.Net{Model: m, Head: h}
}

func randomise(t testing.TB, p *tensor.Param) {
	t.Helper()
	rng, v := rand.New(rand.NewPCG(3, uint64(p.Len()))), make([]float64, p.Len())
	for i := range v {
		v[i] = 0.3 * rng.NormFloat64()
	}
	require.NoError(t, p.Set(v))
}

// adapted gives it an adapter that is not zero.
func adapted(t testing.TB, n reward.Net) reward.Net {
	t.Helper()
	var err error
	n.Adapter, err = lora.Attach(n.Headed(), "default", lora.Config{Rank: 4})
	require.NoError(t, err)
	for _, p := range n.Adapter.Params() {
		randomise(t, p)
	}
	return n
}

// someGroups are n groups of unequal lengths with so many answers each.
func someGroups(n, answers int) []reward.Group {
	rng := rand.New(rand.NewPCG(5, 6))
	ids := func(n int) []int32 {
		out := make([]int32, n)
		for i := range out {
			out[i] = rng.Int32N(tinyVocab)
		}
		return out
	}
	list := make([]reward.Group, n)
	for i := range list {
		g := reward.Group{Prompt: ids(1 + i*5%9), Labelled: true, Margin: 0.1 * float64(i%3)}
		for k := range answers {
			c := reward.Candidate{IDs: ids(1 + (i*3+k*4)%7), Label: float64(answers-k-1) / float64(max(1, answers-1))}
			c.Marks = []reward.Mark{{Token: len(c.IDs) - 1, Label: float64(i % 2)}}
			g.Answers = append(g.Answers, c)
		}
		g.At.Line = i + 1
		list[i] = g
	}
	return list
}

func batcher(t testing.TB, groups []reward.Group, o reward.BatchOptions) *reward.Batcher {
	t.Helper()
	b, err := reward.NewBatcher(groups, o)
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
func runSteps(t testing.TB, n reward.Net, src reward.StepSource, o reward.Options, loop train.Options) outcome {
	t.Helper()
	tr, err := reward.New(n, src, o, loop)
	require.NoError(t, err)
	var out outcome
	for s, err := range tr.Steps(t.Context()) {
		require.NoError(t, err)
		out.losses = append(out.losses, s.Loss)
	}
	for _, p := range tr.Parameters() {
		for i, v := range p.Grad() {
			out.grads, out.values = append(out.grads, float64(v)), append(out.values, float64(p.Data()[i]))
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
