package group_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/group"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/train"
)

const (
	vocab  = 53
	config = `{"model_type": "llama", "vocab_size": 53, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
		"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64}`
)

func tinyModel(t testing.TB) model.Model {
	t.Helper()
	m, err := auto.New([]byte(config), model.Random{Seed: 1, Std: 0.3}, model.LoadOptions{})
	require.NoError(t, err)
	return m
}

func policy(t testing.TB) dpo.Policy {
	t.Helper()
	m := tinyModel(t)
	a, err := lora.Attach(m, "default", lora.Config{Rank: 4, Seed: 2})
	require.NoError(t, err)
	return dpo.Policy{Model: m, Adapter: a}
}

func texts(rng *rand.Rand, n, longest int) [][]int32 {
	list := make([][]int32, n)
	for i := range list {
		for range 1 + rng.IntN(longest) {
			list[i] = append(list[i], rng.Int32N(vocab))
		}
	}
	return list
}

func someGroups(n, k int) []group.Group {
	rng := rand.New(rand.NewPCG(5, 6))
	list := make([]group.Group, n)
	for i := range list {
		list[i] = group.Group{Prompt: texts(rng, 1, 7)[0], Chosen: texts(rng, k, 6), Rejected: texts(rng, k, 6)}
		list[i].At.Line = i + 1
	}
	return list
}

func someRankings(n, answers int) []group.Ranking {
	rng := rand.New(rand.NewPCG(7, 8))
	list := make([]group.Ranking, n)
	for i := range list {
		list[i] = group.Ranking{Prompt: texts(rng, 1, 7)[0], Answers: texts(rng, answers, 6)}
	}
	return list
}

func batcher(t testing.TB, list []group.Group, o group.BatchOptions) *group.Batcher {
	t.Helper()
	b, err := group.NewBatcher(list, o)
	require.NoError(t, err)
	return b
}

func plain(steps int) train.Options {
	return train.Options{Optimizer: train.AdamW{LR: 1e-2}, Schedule: train.Constant{}, MaxGradNorm: new(0.0), MaxSteps: steps}
}

// outcome is the losses of a run and the weights it ends with.
type outcome struct {
	losses  []float64
	weights [][]float32
}

func run(t testing.TB, p dpo.Policy, src dpo.StepSource, o dpo.Options, loop train.Options) outcome {
	t.Helper()
	tr, err := dpo.New(p, src, o, loop)
	require.NoError(t, err)
	var out outcome
	for s, err := range tr.Steps(t.Context()) {
		require.NoError(t, err)
		out.losses = append(out.losses, s.Loss)
	}
	for _, q := range tr.Parameters() {
		out.weights = append(out.weights, append([]float32(nil), q.Data()...))
	}
	return out
}

// closeTo compares runs; tol is relative to the largest loss and absolute for
// weights.
func closeTo(t *testing.T, want, got outcome, tol float64) {
	t.Helper()
	require.Len(t, got.losses, len(want.losses))
	for i, l := range want.losses {
		require.InDelta(t, l, got.losses[i], tol*max(1, l), "loss %d", i)
	}
}
