package group_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/tensor"
)

// lossOf is what a loss makes of log-ratios of one-token answers.
func lossOf(t testing.TB, l dpo.Loss, beta float64, chosen, rejected []float64) []float64 {
	t.Helper()
	n := len(chosen)
	var c, r, ones, loss *tensor.Node
	g, err := tensor.Build(func(g *tensor.Graph) {
		c, r, ones = tensor.Input(g, tensor.Float64, "c", n), tensor.Input(g, tensor.Float64, "r", n), tensor.Input(g, tensor.Float64, "ones", n)
		loss = l.Build(g, ratios(c, r, ones, beta)).Loss
	})
	require.NoError(t, err)
	run, err := tensor.Compile(g, tensor.Nodes{loss}, tensor.CompileOptions{})
	require.NoError(t, err)
	for node, v := range map[*tensor.Node][]float64{c: chosen, r: rejected, ones: filled(n, 1)} {
		require.NoError(t, tensor.Bind(run, node, v))
	}
	require.NoError(t, run.Run())
	v, err := tensor.Values[float64](run, loss)
	require.NoError(t, err)
	return append([]float64(nil), v...)
}

// ratios are answers of one token with given log-ratios.
func ratios(c, r, ones *tensor.Node, beta float64) dpo.LogProbs {
	return dpo.LogProbs{
		Chosen: c, Rejected: r, ChosenRatio: c, RejectedRatio: r, ChosenTokens: ones, RejectedTokens: ones, Beta: beta, Divergence: dpo.ReverseKL{},
	}
}

func filled(n int, v float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = v
	}
	return out
}
