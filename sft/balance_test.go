package sft_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/sft"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// TestRouterBalanceCounts compares a step with the load balance in its loss with the
// model's own gradients of both.
func TestRouterBalanceCounts(t *testing.T) {
	const coefficient = 0.3
	rows := examples(3)
	ids := make([][]int32, len(rows))
	weights := make([][]float64, len(rows))
	for i, e := range rows {
		ids[i] = e.IDs
		weights[i] = make([]float64, len(e.IDs))
		for k, target := range e.Mask {
			if target {
				weights[i][k] = 1
			}
		}
	}
	m := trial.Model(t, "qwen3_moe", tensor.Float64)
	require.NoError(t, modeltest.Trainable(m, true))
	want, err := modeltest.Compute(m, ids, modeltest.PassOptions{Weights: weights, Balance: coefficient})
	require.NoError(t, err)

	var step data.Step
	step.Micro = make([]data.Packed, 1)
	for i, e := range rows {
		step.Micro[0].Add(e, int32(i))
	}
	tr, err := sft.New(sft.Policy{Model: m}, &trial.Steps[data.Step]{List: []data.Step{step}}, sft.Options{RouterBalance: coefficient}, trial.Loop(1))
	require.NoError(t, err)
	for s, err := range tr.Steps(t.Context()) {
		require.NoError(t, err)
		assert.InEpsilon(t, want.Loss+coefficient*want.Balance, s.Loss, 1e-12)
		aux, ok := s.Metrics.Value("aux_loss")
		assert.True(t, ok)
		assert.InEpsilon(t, want.Balance, aux, 1e-12)
	}
	i := 0
	for name := range m.Params() {
		d, size := modeltest.Farthest(tr.Parameters()[i].(train.Parameter64).Grad64(), want.Grads[name])
		assert.LessOrEqual(t, d, 1e-12*max(size, 1), name)
		i++
	}
}
