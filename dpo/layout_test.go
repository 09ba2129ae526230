package dpo_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

const (
	// layoutTol64 and layoutTol32 are what sums in another order may differ by,
	// relative (DESIGN §5).
	layoutTol64 = 1e-10
	layoutTol32 = 1e-5
)

// A prompt that both answers share is computed once, with the gradients of
// separate texts.
func TestSharedPromptsAreLikeSeparateTexts(t *testing.T) {
	for _, family := range trial.Families() {
		for dt, tol := range map[tensor.Dtype]float64{tensor.Float64: layoutTol64, tensor.Float32: layoutTol32} {
			t.Run(family+" "+dt.String(), func(t *testing.T) {
				one := func(separate bool) trial.Outcome {
					src := batcher(t, somePairs(6), dpo.BatchOptions{PairsPerStep: 6, Separate: separate, Sequential: true})
					p := adapted(t, trial.Model(t, family, dt), false)
					return runSteps(t, p, src, dpo.Options{Reference: dpo.Reference{Base: true}}, trial.Loop(1))
				}
				separate, shared := one(true), one(false)
				trial.Close(t, separate.Losses, shared.Losses, tol, "loss")
				trial.Close(t, separate.Grads, shared.Grads, tol, "gradient")
			})
		}
	}
}

// However a step is cut into micro-batches, its loss and gradient are the same,
// for every loss whose pairs do not meet.
func TestMicroBatchesAddUp(t *testing.T) {
	losses := append(dpo.Losses(), dpo.Sum{{Loss: dpo.Sigmoid{}, Weight: 1}, {Loss: dpo.NLL{}, Weight: 0.5}}, dpo.WPO{Of: dpo.Sigmoid{}})
	for _, l := range losses {
		t.Run(l.Name(), func(t *testing.T) {
			pairs := somePairs(6)
			cut := func(sizes ...int) trial.Outcome {
				var step dpo.Step
				at := 0
				for _, n := range sizes {
					var b dpo.Batch
					for range n {
						b.AddShared(pairs[at], int32(at))
						at++
					}
					step.Micro = append(step.Micro, b)
				}
				p := adapted(t, trial.Model(t, "llama", tensor.Float64), false)
				o := dpo.Options{Loss: l, MicroTokens: 256, MaxPairs: 6, Reference: dpo.Reference{Base: true}}
				return runSteps(t, p, &trial.Steps[dpo.Step]{List: []dpo.Step{step}}, o, trial.Loop(1))
			}
			if d, ok := l.(dpo.Described); ok && d.Traits(0.1).BatchCoupled {
				tr, err := dpo.New(adapted(t, trial.Model(t, "llama", tensor.Float64), false), batcher(t, pairs, dpo.BatchOptions{PairsPerStep: 6, TokensPerMicro: 32}),
					dpo.Options{Loss: l}, trial.Loop(1))
				require.NoError(t, err)
				for _, err := range tr.Steps(t.Context()) {
					assert.ErrorContains(t, err, "whose pairs must be seen together")
				}
				return
			}
			whole := cut(6)
			for _, other := range []trial.Outcome{cut(1, 1, 1, 1, 1, 1), cut(4, 2)} {
				trial.Close(t, whole.Losses, other.Losses, layoutTol64, "loss")
				trial.Close(t, whole.Grads, other.Grads, layoutTol64, "gradient")
			}
		})
	}
}

// In the compatibility mode micro-batches count alike, whatever their size.
func TestPerMicroBatchIsAMeanOfMeans(t *testing.T) {
	pairs := somePairs(3)
	run := func(d train.Denominator) float64 {
		var step dpo.Step
		for _, part := range [][]dpo.Pair{pairs[:1], pairs[1:]} {
			var b dpo.Batch
			for i, p := range part {
				b.Add(p, int32(i))
			}
			step.Micro = append(step.Micro, b)
		}
		loop := trial.Loop(1)
		loop.Denominator = d
		p := adapted(t, trial.Model(t, "llama", tensor.Float64), false)
		return runSteps(t, p, &trial.Steps[dpo.Step]{List: []dpo.Step{step}}, dpo.Options{Loss: dpo.NLL{}, MicroTokens: 256, Reference: dpo.Reference{Base: true}}, loop).Losses[0]
	}
	assert.Greater(t, diff(run(train.PerStep), run(train.PerMicroBatch)), 1e-4, "these two batches have other means")
}

func diff(a, b float64) float64 { return max(a-b, b-a) }

func TestBatcherWalksOverAllPairs(t *testing.T) {
	pairs := somePairs(10)
	for name, o := range map[string]dpo.BatchOptions{
		"pairs":      {PairsPerStep: 4, Epochs: 2, TokensPerMicro: 40},
		"tokens":     {TokensPerStep: 60, Epochs: 2, TokensPerMicro: 40, Seed: 3},
		"separate":   {PairsPerStep: 3, Epochs: 2, TokensPerMicro: 40, Separate: true},
		"sequential": {PairsPerStep: 4, Epochs: 2, TokensPerMicro: 40, Sequential: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := batcher(t, pairs, o)
			seen := make([]int, len(pairs))
			var step dpo.Step
			steps, want := 0, b.Steps(5)
			for b.Next(&step) == nil {
				steps++
				for i := range step.Micro {
					m := &step.Micro[i]
					require.LessOrEqual(t, len(m.Tokens), 40)
					require.LessOrEqual(t, len(m.Pairs), b.MaxPairs())
					require.Len(t, m.TargetEnds, len(m.Ends))
					require.Equal(t, len(m.Targets), int(m.TargetEnds[len(m.TargetEnds)-1]))
					for _, at := range m.Pairs {
						seen[at]++
					}
				}
			}
			assert.Equal(t, want, steps)
			assert.Equal(t, 2.0, step.Epoch)
			for i, n := range seen {
				assert.Equal(t, 2, n, "pair %d", i)
			}
		})
	}
	_, err := dpo.NewBatcher(append(pairs, dpo.Pair{Chosen: []int32{1}}), dpo.BatchOptions{})
	require.ErrorContains(t, err, "without a prompt")
	_, err = dpo.NewBatcher(pairs, dpo.BatchOptions{TokensPerMicro: 3})
	require.ErrorContains(t, err, "want at most 3 (BatchOptions.TokensPerMicro)")
	_, err = dpo.NewBatcher(nil, dpo.BatchOptions{PairsPerStep: -1, TokensPerStep: 3})
	require.ErrorContains(t, err, "PairsPerStep: got -1")
	require.ErrorContains(t, err, "got no pairs")
}

// The shared layout is what it says: one prompt, two answers behind it.
func TestSharedLayout(t *testing.T) {
	var b dpo.Batch
	b.AddShared(dpo.Pair{Prompt: []int32{1, 2, 3}, Chosen: []int32{4, 5}, Rejected: []int32{6}}, 7)
	assert.Equal(t, []int32{1, 2, 3, 4, 5, 6}, b.Tokens)
	assert.Equal(t, []int32{0, 1, 2, 3, 4, 3}, b.Positions)
	assert.Equal(t, []int32{3, 5, 6}, b.Ends)
	assert.Equal(t, []int32{-1, 0, 0}, b.Prefix)
	assert.Equal(t, []int32{2, 3, 2}, b.Rows)
	assert.Equal(t, []int32{4, 5, 6}, b.Targets)
	assert.Equal(t, []int32{0, 2, 3}, b.TargetEnds)
	assert.Equal(t, []int32{1}, b.Chosen)
	assert.Equal(t, []int32{2}, b.Rejected)
	assert.Equal(t, 9, b.Texts)
	b.Reset()
	b.Add(dpo.Pair{Prompt: []int32{1, 2, 3}, Chosen: []int32{4, 5}, Rejected: []int32{6}}, 7)
	assert.Equal(t, []int32{1, 2, 3, 4, 5, 1, 2, 3, 6}, b.Tokens)
	assert.Equal(t, []int32{2, 3, 7}, b.Rows)
	assert.Equal(t, []int32{2, 3}, b.TargetEnds)
	assert.Equal(t, []int32{0, 1, 2, 3, 4, 0, 1, 2, 3}, b.Positions)
}
