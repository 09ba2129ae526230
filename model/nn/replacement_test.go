package nn_test

import (
	"testing"

	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/require"
)

// vector and matrix are parameters for tests.
func vector(t *testing.T, name string, x ...float64) *tensor.Param { return matrix(t, name, 1, x...) }

func matrix(t *testing.T, name string, rows int, x ...float64) *tensor.Param {
	shape := []int{len(x)}
	if rows > 1 {
		shape = []int{rows, len(x) / rows}
	}
	p, err := tensor.NewParam(name, x, shape...)
	require.NoError(t, err)
	return p
}

// TestAdaptersOfALinearLayer: of weight, bias, update and its bias every
// combination counts for its own adapter.
func TestAdaptersOfALinearLayer(t *testing.T) {
	low := &nn.LowRank{A: matrix(t, "a", 2, 1, 0, 0, 1), B: matrix(t, "b", 2, 1, 0, 0, 2), Bias: vector(t, "c", 10, 20), Scale: 0.5}
	l := nn.Linear{
		Weight:   matrix(t, "w", 2, 1, 2, 3, 4),
		Adapters: map[string]nn.Adapter{"low": low, "both": low},
		Replaced: nn.Replacements{
			"weight": {Weight: matrix(t, "w2", 2, 0, 1, 1, 0)},
			"bias":   {Bias: vector(t, "d", 100, 200)},
			"both":   {Weight: matrix(t, "w3", 2, 0, 1, 1, 0), Bias: vector(t, "e", 100, 200)},
		},
	}
	for adapter, want := range map[string][]float64{
		"": {5, 11}, "unknown": {5, 11}, "weight": {2, 1}, "bias": {105, 211}, "low": {5 + 0.5 + 5, 11 + 2 + 10}, "both": {2 + 100 + 0.5 + 5, 1 + 200 + 2 + 10},
	} {
		var y *tensor.Node
		g, err := tensor.Build(func(g *tensor.Graph) {
			y = l.Forward(&nn.Inputs{Adapter: adapter}, vectorInput(t, g))
		})
		require.NoError(t, err)
		p, err := tensor.Compile(g, tensor.Nodes{y}, tensor.CompileOptions{})
		require.NoError(t, err)
		require.NoError(t, p.Run())
		got, err := tensor.Values[float64](p, y)
		require.NoError(t, err)
		require.Equal(t, want, got, adapter)
		require.NoError(t, p.Close())
	}
}

// vectorInput is the row (1, 2).
func vectorInput(t *testing.T, g *tensor.Graph) *tensor.Node {
	p, err := tensor.NewParam("x", []float64{1, 2}, 1, 2)
	require.NoError(t, err)
	return p.Node(g)
}

func TestHeadsHaveNoBias(t *testing.T) {
	l := nn.Linear{Path: "lm_head", Weight: matrix(t, "w", 2, 1, 2, 3, 4),
		Adapters: map[string]nn.Adapter{"low": &nn.LowRank{A: matrix(t, "a", 2, 1, 0, 0, 1), B: matrix(t, "b", 2, 1, 0, 0, 2), Bias: vector(t, "c", 1, 2), Scale: 1}},
		Replaced: nn.Replacements{"bias": {Bias: vector(t, "d", 1, 2)}}}
	for _, adapter := range []string{"low", "bias"} {
		_, err := tensor.Build(func(g *tensor.Graph) {
			l.Distribution(&nn.Inputs{Adapter: adapter}, vectorInput(t, g), tensor.LogProbOptions{})
		})
		require.ErrorContains(t, err, "lm_head is an output head with a bias, want none")
	}
}
