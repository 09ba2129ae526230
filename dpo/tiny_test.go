package dpo_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/train"
)

// adapted is a policy with an adapter, zero or not.
func adapted(t testing.TB, m model.Model, zero bool) dpo.Policy {
	t.Helper()
	return dpo.Policy{Model: m, Adapter: trial.Adapter(t, m, lora.Config{}, zero)}
}

// somePairs are n pairs of unequal lengths.
func somePairs(n int) []dpo.Pair {
	rng := rand.New(rand.NewPCG(5, 6))
	ids := func(n int) []int32 { return trial.IDs(rng, n, trial.Vocab) }
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

// runSteps trains to the end.
func runSteps(t testing.TB, p dpo.Policy, src dpo.StepSource, o dpo.Options, loop train.Options) trial.Outcome {
	t.Helper()
	tr, err := dpo.New(p, src, o, loop)
	require.NoError(t, err)
	return trial.Run(t, tr)
}
