package main

import (
	"context"
	"math"
	"testing"

	"github.com/posttrain/posttrain/examples/internal/tiny"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/sft"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
)

// losses trains some steps and returns the loss of each.
func losses(t *testing.T, loss sft.Loss, steps int) []float64 {
	c, err := tiny.Open(auto.Options{})
	require.NoError(t, err)
	adapter, err := lora.Attach(c.Model, "default", lora.Config{Rank: 8, Seed: 1})
	require.NoError(t, err)
	batches, _, err := prepare(context.Background(), c, adapter.Name())
	require.NoError(t, err)
	trainer, err := sft.New(sft.Policy{Model: c.Model, Adapter: adapter}, batches, sft.Options{Loss: loss, MicroTokens: 1024}, train.Options{
		Optimizer: train.AdamW{LR: 5e-3}, Schedule: train.Constant{}, MaxSteps: steps,
	})
	require.NoError(t, err)
	var list []float64
	for s, err := range trainer.Steps(context.Background()) {
		require.NoError(t, err)
		list = append(list, s.Loss)
	}
	return list
}

// tolerance of losses whose gradients are the same in exact arithmetic, after
// some steps in float32.
const tolerance = 1e-4

// TestGorgoniasLossesEqualOurs trains with the same function written in both.
func TestGorgoniasLossesEqualOurs(t *testing.T) {
	for name, pair := range map[string][2]sft.LossFunc{
		"without margin": {clippedNLL(0), func(in sft.Tokens) *tensor.Node { return sft.NLL{}.Build(in) }},
		"clipped": {clippedNLL(0.3), func(in sft.Tokens) *tensor.Node {
			return tensor.Clip(tensor.AddScalar(tensor.Neg(in.LogProb), -0.3), 0, 100)
		}},
		"focal, γ = 1": {focal(1), func(in sft.Tokens) *tensor.Node {
			return tensor.Mul(tensor.AddScalar(tensor.Exp(in.LogProb), -1), in.LogProb)
		}},
		"focal, γ = 2": {focal(2), func(in sft.Tokens) *tensor.Node {
			return tensor.Neg(tensor.Mul(tensor.Square(tensor.AddScalar(tensor.Exp(in.LogProb), -1)), in.LogProb))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			steps := 6
			if testing.Short() {
				steps = 3
			}
			got, want := losses(t, pair[0], steps), losses(t, pair[1], steps)
			assert.InDeltaSlice(t, want, got, tolerance)
			assert.Less(t, got[steps-1], got[0])
		})
	}
}

// TestQuietLowersHiddenStates minimises the penalty alone.
func TestQuietLowersHiddenStates(t *testing.T) {
	nothing := func(in sft.Tokens) *tensor.Node {
		return must(gorgonia.Mul(in.LogProb, gorgonia.NewConstant(float32(0))))
	}
	list := losses(t, quiet(nothing, 1), 10)
	assert.Positive(t, list[0])
	assert.Less(t, list[9], 0.97*list[0])
	assert.False(t, math.IsNaN(list[9]))
}
