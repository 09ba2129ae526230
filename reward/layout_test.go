package reward_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/tensor"
)

const (
	// layoutTol64 and layoutTol32 are what sums in another order may differ by,
	// relative (DESIGN §5).
	layoutTol64 = 1e-10
	layoutTol32 = 1e-5
)

// A prompt that answers share is computed once, with the gradients of separate
// texts.
func TestSharedPromptsAreLikeSeparateTexts(t *testing.T) {
	for _, family := range trial.Families() {
		for dt, tol := range map[tensor.Dtype]float64{tensor.Float64: layoutTol64, tensor.Float32: layoutTol32} {
			for _, l := range []reward.Loss{reward.BradleyTerry{Centring: 0.1}, reward.Outcome{EveryToken: true}} {
				t.Run(family+" "+dt.String()+" "+l.Name(), func(t *testing.T) {
					one := func(separate bool) trial.Outcome {
						o := reward.BatchOptions{GroupsPerStep: 6, Separate: separate, Sequential: true, ScoreAt: l.Traits().ScoreAt}
						return runSteps(t, tinyNet(t, family, dt, 1), batcher(t, someGroups(6, 3), o), reward.Options{Loss: l}, trial.Loop(1))
					}
					separate, shared := one(true), one(false)
					trial.Close(t, separate.Losses, shared.Losses, tol, "loss")
					trial.Close(t, separate.Grads, shared.Grads, tol, "gradient")
				})
			}
		}
	}
}

// However a step is cut into micro-batches and in whatever order its groups come,
// its loss and gradient are the same, for every loss.
func TestMicroBatchesAddUpInAnyOrder(t *testing.T) {
	for _, l := range reward.Losses() {
		t.Run(l.Name(), func(t *testing.T) {
			if o, ok := l.(reward.Ordinal); ok {
				o.Levels = []float64{0, 0.5, 1}
				l = o
			}
			groups := someGroups(6, 3)
			cut := func(order []int, sizes ...int) trial.Outcome {
				var step reward.Step
				at := 0
				for _, n := range sizes {
					var b reward.Batch
					b.Reset()
					for range n {
						b.AddShared(groups[order[at]], l.Traits().ScoreAt, int32(order[at]))
						at++
					}
					step.Micro = append(step.Micro, b)
				}
				o := reward.Options{Loss: l, Capacity: reward.Capacity{Tokens: 256, Groups: 6, Answers: 18, Comparisons: 18}}
				return runSteps(t, tinyNet(t, "llama", tensor.Float64, 1), &trial.Steps[reward.Step]{List: []reward.Step{step}}, o, trial.Loop(1))
			}
			straight, mixed := []int{0, 1, 2, 3, 4, 5}, []int{3, 5, 0, 4, 1, 2}
			whole := cut(straight, 6)
			for _, other := range []trial.Outcome{cut(straight, 1, 2, 3), cut(straight, 1, 1, 1, 1, 1, 1), cut(mixed, 6), cut(mixed, 4, 2)} {
				trial.Close(t, whole.Losses, other.Losses, layoutTol64, "loss")
				trial.Close(t, whole.Grads, other.Grads, layoutTol64, "gradient")
			}
		})
	}
}

// Larger capacities, other neighbours and a batcher's packing change nothing.
func TestScoresDoNotDependOnTheirBatch(t *testing.T) {
	net := adapted(t, tinyNet(t, "gemma3_text", tensor.Float32, 2))
	var texts []reward.Text
	for _, g := range someGroups(7, 3) {
		for _, a := range g.Answers {
			texts = append(texts, reward.Text{Prompt: g.Prompt, Completion: a.IDs})
		}
	}
	score := func(o reward.ModelOptions, texts ...reward.Text) []float64 {
		m, err := reward.NewModel(net, o)
		require.NoError(t, err)
		s, err := m.Score(t.Context(), texts)
		require.NoError(t, err)
		require.Len(t, s, len(texts))
		return s
	}
	want := score(reward.ModelOptions{}, texts...)
	trial.Close(t, want, score(reward.ModelOptions{Tokens: 20, Rows: 3}, texts...), layoutTol32, "small batches")
	var alone []float64
	for _, x := range texts {
		alone = append(alone, score(reward.ModelOptions{Tokens: 40}, reward.Text{Completion: slices.Concat(x.Prompt, x.Completion)})...)
	}
	trial.Close(t, want, alone, layoutTol32, "alone")
	m, err := reward.NewModel(net, reward.ModelOptions{})
	require.NoError(t, err)
	var marks [][]int
	for _, x := range texts {
		marks = append(marks, []int{len(x.Completion) - 1})
	}
	at, err := m.ScoreAt(t.Context(), texts, marks)
	require.NoError(t, err)
	var last []float64
	for _, s := range at {
		last = append(last, s...)
	}
	trial.Close(t, want, last, layoutTol32, "marked")
}

// The shared layout is what it says: one prompt, answers behind it.
func TestSharedLayout(t *testing.T) {
	g := reward.Group{Prompt: []int32{1, 2, 3}, Margin: 0.5, Answers: []reward.Candidate{{IDs: []int32{4, 5}}, {IDs: []int32{6}}, {IDs: []int32{7, 8, 9}}}}
	var b reward.Batch
	b.Reset()
	b.AddShared(g, reward.LastToken, 7)
	assert.Equal(t, []int32{1, 2, 3, 4, 5, 6, 7, 8, 9}, b.Tokens)
	assert.Equal(t, []int32{0, 1, 2, 3, 4, 3, 3, 4, 5}, b.Positions)
	assert.Equal(t, []int32{3, 5, 6, 9}, b.Ends)
	assert.Equal(t, []int32{-1, 0, 0, 0}, b.Prefix)
	assert.Equal(t, []int32{4, 5, 8}, b.Rows)
	assert.Equal(t, []int32{0, 1, 2}, b.Last)
	assert.Equal(t, []int32{0, 0, 1}, b.Better)
	assert.Equal(t, []int32{1, 2, 2}, b.Worse)
	assert.Equal(t, []float64{0.5, 0.5, 0.5}, b.Margins)
	assert.InDeltaSlice(t, []float64{1. / 3, 1. / 3, 1. / 3}, b.PairWeight, 1e-15)
	assert.Equal(t, 15, b.Texts)
	b.Reset()
	b.Add(g, reward.EveryToken, 7)
	assert.Equal(t, []int32{3, 4, 8, 12, 13, 14}, b.Rows)
	assert.Equal(t, []int32{1, 2, 5}, b.Last)
	assert.Equal(t, []int32{6}, b.RowEnds)
}

func TestBatcherYieldsEveryGroupOnceAnEpoch(t *testing.T) {
	groups := someGroups(11, 2)
	for name, o := range map[string]reward.BatchOptions{
		"groups": {GroupsPerStep: 4, TokensPerMicro: 60, Epochs: 2}, "tokens": {TokensPerStep: 70, TokensPerMicro: 50, Epochs: 2, Separate: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := batcher(t, groups, o)
			seen, steps := make([]int, len(groups)), 0
			var step reward.Step
			for b.Next(&step) == nil {
				steps++
				for _, m := range step.Micro {
					room := b.Capacity()
					assert.LessOrEqual(t, len(m.Tokens), room.Tokens)
					assert.LessOrEqual(t, len(m.Ends), room.Segments)
					assert.LessOrEqual(t, len(m.Groups), room.Groups)
					assert.LessOrEqual(t, len(m.Better), room.Comparisons)
					assert.LessOrEqual(t, len(m.Last), room.Answers)
					for _, g := range m.Groups {
						seen[g]++
					}
				}
			}
			assert.Equal(t, b.Steps(2), steps)
			assert.Equal(t, 2.0, step.Epoch)
			for i, n := range seen {
				assert.Equal(t, 2, n, "group %d", i)
			}
		})
	}
	_, err := reward.NewBatcher([]reward.Group{{}, {Answers: []reward.Candidate{{}}}}, reward.BatchOptions{GroupsPerStep: -1})
	require.ErrorContains(t, err, "got a group without answers")
	require.ErrorContains(t, err, "answer 0 is empty")
	require.ErrorContains(t, err, "GroupsPerStep: got -1")
	_, err = reward.NewBatcher(groups, reward.BatchOptions{TokensPerMicro: 3})
	require.ErrorContains(t, err, "want at most 3 (BatchOptions.TokensPerMicro)")
}
