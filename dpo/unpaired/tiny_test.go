package unpaired_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/unpaired"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// adapted is a policy with an adapter, zero or not.
func adapted(t testing.TB, dt tensor.Dtype, zero bool) dpo.Policy {
	t.Helper()
	m := trial.Model(t, "llama", dt)
	return dpo.Policy{Model: m, Adapter: trial.Adapter(t, m, lora.Config{}, zero)}
}

// someRows are n rows of unequal lengths.
func someRows(n int) []unpaired.Row {
	rng := rand.New(rand.NewPCG(5, 6))
	ids := func(n int) []int32 { return trial.IDs(rng, n, trial.Vocab) }
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

// runSteps trains to the end.
func runSteps(t testing.TB, p dpo.Policy, src unpaired.StepSource, o unpaired.Options, loop train.Options) trial.Outcome {
	t.Helper()
	tr, err := unpaired.New(p, src, o, loop)
	require.NoError(t, err)
	return trial.Run(t, tr)
}
