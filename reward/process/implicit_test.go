package process_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/unpaired"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/reward/process"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// AppendOffsets implements data.OffsetEncoder.
func (letters) AppendOffsets(ids []int32, offsets [][2]int, text string, _ bool) ([]int32, [][2]int) {
	for i := range len(text) {
		ids, offsets = append(ids, int32(text[i])), append(offsets, [2]int{i, i + 1})
	}
	return ids, offsets
}

// outcomes is the loss of an implicit process reward model: the reward of the
// whole answer, β·log π/π₀, is the log-odds that it is right.
type outcomes struct{}

// Name implements unpaired.Loss.
func (outcomes) Name() string { return "outcomes" }

// Traits implements unpaired.Loss.
func (outcomes) Traits() unpaired.Traits { return unpaired.Traits{} }

// Build implements unpaired.Loss.
func (outcomes) Build(_ *tensor.Graph, in unpaired.LogProbs) unpaired.Terms {
	return unpaired.Terms{Loss: reward.CrossEntropy(in.Reward(), in.Desirable)}
}

// spelled draws an answer of three lines; in half of them one line, number
// mistake, is misspelt.
func spelled(rng *rand.Rand) (row data.LabelledRow, mistake int) {
	mistake = -1
	if rng.IntN(2) == 0 {
		mistake = rng.IntN(3)
	}
	var lines []string
	for i := range 3 {
		line := []byte("abc")
		rng.Shuffle(3, func(i, j int) { line[i], line[j] = line[j], line[i] })
		if i == mistake {
			line[rng.IntN(3)] = 'x'
		}
		lines = append(lines, string(line)+"\n")
	}
	return data.LabelledRow{Prompt: "spell:\n", Completion: strings.Join(lines, ""), Label: mistake < 0}, mistake
}

// From labels of whole answers alone the rewards of steps point at the wrong one
// (card R6, implicit).
func TestImplicitRewardsFindTheWrongStep(t *testing.T) {
	m, err := auto.New([]byte(untrained), model.Random{Seed: 1, Std: 0.2}, model.LoadOptions{})
	require.NoError(t, err)
	adapter, err := lora.Attach(m, "default", lora.Config{Rank: 8, Seed: 1})
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(1, 2))
	var texts data.Slice[data.LabelledRow]
	for range 300 {
		row, _ := spelled(rng)
		texts = append(texts, row)
	}
	rows, _, err := unpaired.Prepare(t.Context(), texts, letters{}, unpaired.PrepareOptions{})
	require.NoError(t, err)
	src, err := unpaired.NewBatcher(rows, unpaired.BatchOptions{RowsPerStep: 32, Seed: 1})
	require.NoError(t, err)
	const beta = 0.5
	judge, err := process.NewImplicit(process.ImplicitOptions{Model: m, Adapter: adapter.Name(), Beta: beta, Encoder: letters{}})
	require.NoError(t, err)
	steps, err := judge.Score(t.Context(), texts[0].Prompt, texts[0].Completion)
	require.NoError(t, err)
	assert.Equal(t, []float64{0, 0, 0}, steps, "a fresh adapter is its own reference")
	tr, err := unpaired.New(dpo.Policy{Model: m, Adapter: adapter}, src, unpaired.Options{Beta: beta, Loss: outcomes{}},
		train.Options{Optimizer: train.AdamW{LR: 2e-2}, MaxSteps: 80})
	require.NoError(t, err)
	require.NoError(t, tr.Train(t.Context(), train.Hooks{}))

	found, wrong, ordered := 0.0, 0.0, 0.0
	var good, bad []float64
	for range 100 {
		row, mistake := spelled(rng)
		steps, err := judge.Score(t.Context(), row.Prompt, row.Completion)
		require.NoError(t, err)
		total, err := judge.Verify(t.Context(), reward.Sample{Prompt: row.Prompt, Completion: row.Completion})
		require.NoError(t, err)
		assert.InDelta(t, steps[0]+steps[1]+steps[2], total, 1e-9)
		if mistake < 0 {
			good = append(good, total)
			continue
		}
		bad = append(bad, total)
		wrong++
		// From the mistake on everything is unlikely: the first step that falls tells.
		low := slices.Min(steps) / 3
		if slices.IndexFunc(steps, func(r float64) bool { return r < low }) == mistake {
			found++
		}
	}
	for _, g := range good {
		for _, b := range bad {
			if g > b {
				ordered++
			}
		}
	}
	t.Logf("wrong step found in %.0f of %.0f answers, right before wrong answers in %.3f", found, wrong, ordered/float64(len(good)*len(bad)))
	assert.Greater(t, found/wrong, 0.9)
	assert.Greater(t, ordered/float64(len(good)*len(bad)), 0.95)
}

func TestImplicitRefuses(t *testing.T) {
	m, err := auto.New([]byte(untrained), model.Random{Seed: 1, Std: 0.2}, model.LoadOptions{})
	require.NoError(t, err)
	_, err = process.NewImplicit(process.ImplicitOptions{})
	require.ErrorContains(t, err, "got no Model")
	_, err = process.NewImplicit(process.ImplicitOptions{Model: m, Encoder: letters{}})
	require.ErrorContains(t, err, "its own reference")
	other, err := auto.New([]byte(untrained), model.Random{Seed: 2, Std: 0.2}, model.LoadOptions{})
	require.NoError(t, err)
	_, err = process.NewImplicit(process.ImplicitOptions{Model: m, Encoder: letters{}, Reference: other, Beta: -1})
	require.ErrorContains(t, err, "Beta -1")
	x, err := process.NewImplicit(process.ImplicitOptions{Model: m, Encoder: letters{}, Reference: other, Tokens: 8})
	require.NoError(t, err)
	_, err = x.Score(t.Context(), "a long prompt", "b")
	require.ErrorContains(t, err, "want at most 8")
	_, err = x.Score(t.Context(), "", "b")
	require.ErrorContains(t, err, "want a prompt")
	steps, err := x.Score(t.Context(), "a", "b\nc")
	require.NoError(t, err)
	assert.Len(t, steps, 2)
	steps, err = x.Score(t.Context(), "a", "")
	require.NoError(t, err)
	assert.Empty(t, steps)
}

// A process reward model scores the same alone and among others, and is a
// verifier.
func TestStepsAreScoredAlike(t *testing.T) {
	m, err := auto.New([]byte(untrained), model.Random{Seed: 1, Std: 0.2}, model.LoadOptions{})
	require.NoError(t, err)
	for _, labels := range []int{1, 2} {
		n := reward.Net{Model: m}
		n.Head, err = model.NewHead(m, model.TokenClassification, model.Labels(labels), 1)
		require.NoError(t, err)
		judge, err := process.NewModel(n, process.ModelOptions{Encoder: letters{}, Aggregate: process.Product})
		require.NoError(t, err)
		list := []process.Solution{{Prompt: "p?", Steps: []string{"ab", "c", "def"}}, {Prompt: "p?", Steps: []string{"ab"}}, {Prompt: "q?", Steps: []string{"z", "y"}}}
		all, err := judge.Score(t.Context(), list)
		require.NoError(t, err)
		for i, s := range list {
			one, err := judge.Score(t.Context(), []process.Solution{s})
			require.NoError(t, err)
			assert.InDeltaSlice(t, all[i], one[0], 1e-5)
			assert.Len(t, one[0], len(s.Steps))
		}
		// A separator of the same step, whatever follows: causal attention.
		assert.InDelta(t, all[0][0], all[1][0], 1e-5)
		r, err := judge.Verify(t.Context(), reward.Sample{Prompt: "p?", Completion: "ab\nc\n\ndef\n"})
		require.NoError(t, err)
		assert.InDelta(t, process.Product.Of(all[0]), r, 1e-5)
		r, err = judge.Verify(t.Context(), reward.Sample{Prompt: "p?", Completion: " \n"})
		require.NoError(t, err)
		assert.Zero(t, r)
		_, err = judge.Score(t.Context(), []process.Solution{{Prompt: "p"}})
		require.ErrorContains(t, err, "has no steps")
	}
	_, err = process.NewModel(reward.Net{}, process.ModelOptions{})
	require.ErrorContains(t, err, "got none")
	_, err = process.NewModel(reward.Net{}, process.ModelOptions{Encoder: letters{}, Aggregate: "sum"})
	require.ErrorContains(t, err, `"sum"`)
}
