package sft_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/sft"
	"github.com/posttrain/posttrain/train"
)

// adapted is a policy with an adapter that is not zero.
func adapted(t testing.TB, m model.Model, c lora.Config) sft.Policy {
	t.Helper()
	return sft.Policy{Model: m, Adapter: trial.Adapter(t, m, c, false)}
}

// examples are n rows of unequal lengths; the first third of a row is a prompt.
func examples(n int) []data.Example {
	rng := rand.New(rand.NewPCG(5, 6))
	list := make([]data.Example, n)
	for i := range list {
		e := &list[i]
		length := 3 + (i*7)%12
		for j := range length {
			e.IDs, e.Mask = append(e.IDs, rng.Int32N(trial.Vocab)), append(e.Mask, j >= length/3)
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

// runSteps trains to the end.
func runSteps(t testing.TB, p sft.Policy, src data.StepSource, o sft.Options, loop train.Options) trial.Outcome {
	t.Helper()
	tr, err := sft.New(p, src, o, loop)
	require.NoError(t, err)
	return trial.Run(t, tr)
}
