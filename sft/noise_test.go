package sft_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/sft"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// still is a rate at which no weight moves, so that steps differ in their random
// numbers only.
const still = 1e-30

func stillLoop(steps int) train.Options {
	o := trial.Loop(steps)
	o.Optimizer = train.AdamW{LR: still}
	return o
}

// oneRow repeats a batch of one row of distinct tokens.
func oneRow(steps int) *trial.Steps[data.Step] {
	e := data.Example{IDs: []int32{3, 14, 15, 9, 26, 5, 35, 8}, Mask: slices.Repeat([]bool{true}, 8)}
	one := cut([]data.Example{e}, [][]int{{0}}, 0)
	return &trial.Steps[data.Step]{List: slices.Repeat(one.List, steps)}
}

// TestNEFTuneScale measures the noise by what it does to the loss: to first
// order a change of g·u, g the gradient by the embeddings and u uniform within
// ±α/√(L·D), so of variance α²/(3·L·D)·|g|².
func TestNEFTuneScale(t *testing.T) {
	const alpha, n, rows, width = 1e-3, 1500, 8, 16
	off := runSteps(t, sft.Policy{Model: trial.Model(t, "llama", tensor.Float64)}, oneRow(1), sft.Options{MicroTokens: rows}, stillLoop(1))
	m := trial.Model(t, "llama", tensor.Float64)
	on := runSteps(t, sft.Policy{Model: m}, oneRow(n), sft.Options{MicroTokens: rows, NEFTuneAlpha: alpha}, stillLoop(n))
	norm := 0.0
	for _, g := range m.Embedding().Weight.Grad64() {
		norm += g * g
	}
	variance, mean := 0.0, 0.0
	for _, loss := range on.Losses {
		d := loss - off.Losses[0]
		variance += d * d / n
		mean += d / n
	}
	want := alpha * alpha / (3 * rows * width) * norm
	assert.InEpsilon(t, want, variance, 0.12) // 3 standard deviations of a variance of 1500 draws
	assert.LessOrEqual(t, math.Abs(mean), 4*math.Sqrt(want/n))
}

// TestRandomnessIsKeyedBySeedAndStep holds dropout and NEFTune.
func TestRandomnessIsKeyedBySeedAndStep(t *testing.T) {
	for name, c := range map[string]struct{ dropout, alpha float64 }{"dropout": {dropout: 0.3}, "neftune": {alpha: 10}, "none": {}} {
		t.Run(name, func(t *testing.T) {
			run := func(seed uint64) []float64 {
				p := adapted(t, trial.Model(t, "llama", tensor.Float32), lora.Config{Dropout: c.dropout})
				return runSteps(t, p, oneRow(3), sft.Options{MicroTokens: 8, NEFTuneAlpha: c.alpha, Seed: seed}, stillLoop(3)).Losses
			}
			first := run(1)
			require.Equal(t, first, run(1))
			if name == "none" {
				require.Equal(t, first, run(2))
				require.Equal(t, first[0], first[2])
				return
			}
			require.NotEqual(t, first[0], run(2)[0], "seed")
			require.NotEqual(t, first[0], first[1], "step")
			require.NotEqual(t, first[1], first[2], "step")
		})
	}
}

// TestMicroBatchesDrawApart wants two equal micro-batches of a step to get
// different noise.
func TestMicroBatchesDrawApart(t *testing.T) {
	one := oneRow(1).List[0]
	two := data.Step{Micro: []data.Packed{one.Micro[0], one.Micro[0]}, Tokens: 16}
	run := func(s data.Step) float64 {
		p := sft.Policy{Model: trial.Model(t, "llama", tensor.Float32)}
		return runSteps(t, p, &trial.Steps[data.Step]{List: []data.Step{s}}, sft.Options{MicroTokens: 8, NEFTuneAlpha: 10}, stillLoop(1)).Losses[0]
	}
	require.NotEqual(t, run(one), run(two))
}
