package modeltest

import (
	"testing"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/gradcheck"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// gradientSamples is how many elements of each parameter are compared with a
// difference.
const gradientSamples = 6

// gradients compares the gradients of log-probabilities and entropies by every
// parameter with central differences.
func (s *suite) gradients(t *testing.T) {
	m := s.tiny(t, tensor.Float64)
	require.NoError(t, Trainable(m, true))
	c := newComputation(m, rows(m, 9, 5), PassOptions{})
	f := gradcheck.Function{
		Inputs: []gradcheck.Input{
			{Name: "tokens", IDs: c.tokens}, {Name: "positions", IDs: c.positions}, {Name: "ends", IDs: c.ends},
			{Name: "prefix", IDs: c.prefix}, {Name: "rows", IDs: c.index}, {Name: "targets", IDs: c.targets},
		},
		Build: func(g *tensor.Graph, in map[string]*tensor.Node) tensor.Nodes {
			inputs := &model.Inputs{Tokens: in["tokens"], Positions: in["positions"], Ends: in["ends"], Prefix: in["prefix"]}
			score := model.Distribution(m, inputs, m.Hidden(g, inputs)).LogProbs(in["rows"], in["targets"])
			return tensor.Nodes{score.LogProb, score.Entropy}
		},
	}
	for _, p := range m.Params() {
		f.Params = append(f.Params, p)
	}
	result, err := gradcheck.Check(f, gradcheck.Options{Samples: gradientSamples})
	require.NoError(t, err)
	assert.GreaterOrEqual(t, result.Checked, len(f.Params))
	t.Logf("%d elements, worst %v", result.Checked, result.Worst)
}
