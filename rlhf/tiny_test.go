package rlhf_test

import (
	"context"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/gemma"
	"github.com/posttrain/posttrain/model/llama"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/model/qwen"
	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

const tinyVocab = 61

// tinyConfigs are tiny models of the families, with and without a sliding window.
var tinyConfigs = map[string]string{
	"llama": `{"model_type": "llama", "vocab_size": 61, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
		"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64, "eos_token_id": 60}`,
	"qwen3": `{"model_type": "qwen3", "vocab_size": 61, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
		"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 12, "max_position_embeddings": 64, "tie_word_embeddings": true, "eos_token_id": 60}`,
	"gemma3_text": `{"model_type": "gemma3_text", "vocab_size": 61, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
		"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "max_position_embeddings": 64, "sliding_window": 5,
		"layer_types": ["sliding_attention", "full_attention"], "query_pre_attn_scalar": 8, "final_logit_softcapping": 20, "eos_token_id": 60}`,
}

func tinyModel(t testing.TB, family string, dt tensor.Dtype) model.Model {
	t.Helper()
	all := slices.Concat(llama.Families(), qwen.Families(), gemma.Families())
	i := slices.IndexFunc(all, func(f model.Family) bool { return strings.Contains(tinyConfigs[family], `"`+f.ModelType+`"`) })
	require.GreaterOrEqual(t, i, 0, family)
	m, err := modeltest.Tiny(all[i], tinyConfigs[family], 1, dt)
	require.NoError(t, err)
	return m
}

// adapted is a policy with an adapter, zero or not.
func adapted(t testing.TB, m model.Model, zero bool) rlhf.Policy {
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
	return rlhf.Policy{Model: m, Adapter: a}
}

// somePrompts are n prompts of unequal lengths.
func somePrompts(n int) []rollout.Prompt {
	rng := rand.New(rand.NewPCG(5, 6))
	list := make([]rollout.Prompt, n)
	for i := range list {
		for range 1 + i*5%9 {
			list[i].IDs = append(list[i].IDs, rng.Int32N(tinyVocab-1))
		}
	}
	return list
}

// low rewards completions that begin with a small id.
var low = rollout.Each("low", func(_ context.Context, c *rollout.Completion) (float64, error) {
	if len(c.Tokens) > 0 && c.Tokens[0].ID < 10 {
		return 1, nil
	}
	return 0, nil
})

func byLow() []rollout.Reward { return []rollout.Reward{{By: low}} }

// someRollouts are rollouts of random completions: groups of g for each of n prompts.
// Lengths are unequal, some 0 or 1, and some completions hold observations.
func someRollouts(count, n, g int) *fixedRollouts {
	rng := rand.New(rand.NewPCG(7, 8))
	prompts := somePrompts(n)
	src := &fixedRollouts{}
	for k := range count {
		r := &rollout.Rollout{Number: int64(k), Names: []string{"any"}, Rounds: 1, Epoch: float64(k + 1)}
		for i := range prompts {
			for j := range g {
				c := &rollout.Completion{Group: int64(k*n + i), Index: j, Prompt: &prompts[i], Finish: generate.FinishEOS, Reward: float64(rng.IntN(4))}
				c.Rewards = []float64{c.Reward}
				if (i+j)%5 == 0 {
					c.Finish = generate.FinishLength
				}
				for t := range (i + 3*j) % 7 {
					tok := rollout.Token{ID: rng.Int32N(tinyVocab), LogProb: math.NaN(), SamplerLogProb: -3 - rng.Float64()}
					if t == 2 && j%2 == 1 {
						tok.Role, tok.SamplerLogProb = rollout.Observation, 0
					}
					c.Tokens = append(c.Tokens, tok)
				}
				r.Completions = append(r.Completions, c)
			}
		}
		src.list = append(src.list, r)
	}
	return src
}

// fixedRollouts yields rollouts that are there.
type fixedRollouts struct {
	list []*rollout.Rollout
	at   int
}

// Next implements rlhf.Source.
func (s *fixedRollouts) Next(context.Context, int64) (*rollout.Rollout, error) {
	if s.at == len(s.list) {
		return nil, io.EOF
	}
	s.at++
	return s.list[s.at-1], nil
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
	last   map[string]float64
}

// runSteps trains to the end.
func runSteps(t testing.TB, p rlhf.Policy, prompts []rollout.Prompt, o rlhf.Options, loop train.Options) outcome {
	t.Helper()
	var rewards []rollout.Reward
	if prompts != nil {
		rewards = byLow()
	}
	tr, err := rlhf.New(p, prompts, rewards, o, loop)
	require.NoError(t, err)
	defer tr.Close()
	out := outcome{last: map[string]float64{}}
	for s, err := range tr.Steps(t.Context()) {
		require.NoError(t, err)
		out.losses = append(out.losses, s.Loss)
		clear(out.last)
		for name, v := range s.Metrics.All() {
			out.last[name] = v
		}
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
