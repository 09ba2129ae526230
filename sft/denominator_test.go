package sft_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/sft"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// lawTol is how far losses and gradients (by norm) of one batch may be apart
// when it is cut in other ways: rounding only.
var lawTol = map[tensor.Dtype]float64{tensor.Float64: 1e-10, tensor.Float32: 1e-5}

// layouts cut eight rows into micro-batches; padTo lengthens each row by tokens
// that are no targets, as trainers do that pad.
var layouts = []struct {
	name  string
	micro [][]int
	padTo int
}{
	{name: "8x1", micro: [][]int{{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}}},
	{name: "4x2", micro: [][]int{{0, 1}, {2, 3}, {4, 5}, {6, 7}}},
	{name: "uneven", micro: [][]int{{6, 2, 4, 1, 7}, {0}, {3, 5}}},
	{name: "reversed", micro: [][]int{{7, 6, 5, 4, 3, 2, 1, 0}}},
	{name: "padded", micro: [][]int{{0, 1, 2, 3, 4, 5, 6, 7}}, padTo: 16},
	{name: "padded 4x2", micro: [][]int{{0, 1}, {2, 3}, {4, 5}, {6, 7}}, padTo: 14},
}

var losses = map[string]sft.Loss{"nll": sft.NLL{}, "smoothed": sft.NLL{LabelSmoothing: 0.1}, "dft": sft.DFT{}}

// cut lays rows out; some targets have weights other than 1.
func cut(rows []data.Example, micro [][]int, padTo int) *trial.Steps[data.Step] {
	var step data.Step
	for _, list := range micro {
		var p data.Packed
		for _, i := range list {
			e := rows[i]
			for len(e.IDs) < padTo {
				e.IDs, e.Mask = append(slices.Clip(e.IDs), 0), append(slices.Clip(e.Mask), false)
			}
			at := len(p.Weights)
			p.Add(e, int32(i))
			if i%3 == 1 && at < len(p.Weights) {
				p.Weights[at] = 0.25
			}
		}
		step.Micro = append(step.Micro, p)
		step.Tokens += len(p.Tokens)
	}
	return &trial.Steps[data.Step]{List: []data.Step{step}}
}

// distant is the distance of two vectors relative to the norm of the first.
func distant(want, got []float64) float64 {
	if len(want) != len(got) {
		return math.Inf(1)
	}
	diff := make([]float64, len(want))
	for i := range want {
		diff[i] = want[i] - got[i]
	}
	return modeltest.Norm(diff) / modeltest.Norm(want)
}

func TestGradientsDoNotDependOnHowABatchIsCut(t *testing.T) {
	for _, family := range []string{"llama", "qwen3", "gemma3_text", "qwen3_moe"} {
		for dt, tol := range lawTol {
			for _, adapter := range []bool{false, true} {
				for name, loss := range losses {
					t.Run(fmt.Sprintf("%s/%v/adapter %t/%s", family, dt, adapter, name), func(t *testing.T) {
						lawOf(t, func() sft.Policy {
							m := trial.Model(t, family, dt)
							if adapter {
								return adapted(t, m, lora.Config{})
							}
							return sft.Policy{Model: m}
						}, sft.Options{Loss: loss, MicroTokens: 160, MaxSegments: 8}, tol)
					})
				}
			}
		}
	}
}

func lawOf(t *testing.T, policy func() sft.Policy, o sft.Options, tol float64) {
	rows := examples(8)
	want := runSteps(t, policy(), cut(rows, [][]int{{0, 1, 2, 3, 4, 5, 6, 7}}, 0), o, trial.Loop(1))
	require.Greater(t, modeltest.Norm(want.Grads), 1e-3)
	for _, l := range layouts {
		got := runSteps(t, policy(), cut(rows, l.micro, l.padTo), o, trial.Loop(1))
		require.InEpsilon(t, want.Losses[0], got.Losses[0], tol, "loss, %s", l.name)
		require.LessOrEqual(t, distant(want.Grads, got.Grads), tol, "gradient, %s", l.name)
	}
}

// TestMeansOfMeansAreAnotherGradient shows that the law can be broken, by the
// compatibility mode that divides each micro-batch by its own weight.
func TestMeansOfMeansAreAnotherGradient(t *testing.T) {
	o := sft.Options{MicroTokens: 160, MaxSegments: 8}
	policy := func() sft.Policy { return sft.Policy{Model: trial.Model(t, "llama", tensor.Float64)} }
	micro, loop := [][]int{{0, 1, 2, 3, 4}, {5, 6, 7}}, trial.Loop(1)
	want := runSteps(t, policy(), cut(examples(8), micro, 0), o, loop)
	loop.Denominator = train.PerMicroBatch
	got := runSteps(t, policy(), cut(examples(8), micro, 0), o, loop)
	require.Greater(t, distant(want.Grads, got.Grads), 1e-3)
	mean := make([]float64, len(got.Grads))
	for _, list := range micro {
		alone := runSteps(t, policy(), cut(examples(8), [][]int{list}, 0), o, trial.Loop(1))
		for i, g := range alone.Grads {
			mean[i] += g / float64(len(micro))
		}
	}
	require.LessOrEqual(t, distant(mean, got.Grads), lawTol[tensor.Float64])
}

// TestResultsAreTheSameBits holds what must not change a bit: threads,
// recomputation and the capacity that memory was planned for.
func TestResultsAreTheSameBits(t *testing.T) {
	one, two := tensor.NewDevice(1), tensor.NewDevice(2)
	defer one.Close()
	defer two.Close()
	for _, family := range []string{"llama", "qwen3", "gemma3_text", "wide"} {
		for _, adapter := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/adapter %t", family, adapter), func(t *testing.T) {
				run := func(o sft.Options) trial.Outcome {
					p := sft.Policy{Model: trial.Model(t, family, tensor.Float32)}
					if adapter {
						p = adapted(t, p.Model, lora.Config{Dropout: 0.2})
					}
					o.NEFTuneAlpha = 5
					return runSteps(t, p, batcher(t, 40, data.BatchOptions{TokensPerStep: 220, TokensPerMicro: 128}), o, trial.Loop(3))
				}
				want := run(sft.Options{Device: one})
				require.Equal(t, want, run(sft.Options{Device: two}), "two threads")
				require.Equal(t, want, run(sft.Options{Device: two, Recompute: true}), "recomputation")
				require.Equal(t, want, run(sft.Options{Device: one, MicroTokens: 300, MaxSegments: 50}), "larger capacity")
				require.Equal(t, want, run(sft.Options{Device: two, Debug: tensor.Debug{Poison: true}}), "poisoned memory")
			})
		}
	}
}
