package dpo_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/tensor"
)

// opinionated is a model whose next token depends strongly on those before it.
func opinionated(t *testing.T) model.Model {
	t.Helper()
	m, err := auto.New([]byte(trial.Config("llama")), model.Random{Seed: 4, Std: 0.6}, model.LoadOptions{})
	require.NoError(t, err)
	return m
}

// written samples n texts from the model as answers to one-token prompts; the
// rejected answer is the same tokens shuffled.
func written(t *testing.T, m model.Model, n int, seed uint64) []dpo.Pair {
	t.Helper()
	g, err := generate.New(m, generate.Config{Sequences: 64, Context: 32})
	require.NoError(t, err)
	defer g.Close()
	prompts := make([][]int32, n)
	for i := range prompts {
		prompts[i] = []int32{int32(i % trial.Vocab)}
	}
	texts, err := g.Generate(t.Context(), prompts, generate.Options{MaxTokens: 16, Temperature: 1, IgnoreEOS: true, Seed: seed})
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(seed, 1))
	pairs := make([]dpo.Pair, n)
	for i, c := range texts {
		other := c.IDs()
		rng.Shuffle(len(other), func(a, b int) { other[a], other[b] = other[b], other[a] })
		pairs[i] = dpo.Pair{Prompt: prompts[i], Chosen: c.IDs(), Rejected: other}
		pairs[i].At.Line = i + 1
	}
	return pairs
}

// The check of card P6: the filter keeps 95 % of what the reference writes, within
// a point, and rejects nine shuffled texts in ten.
func TestPerplexityFilterKeepsTheReferencesOwnTexts(t *testing.T) {
	const n = 2000
	m := opinionated(t)
	scorer, err := dpo.NewScorer(m, "", dpo.ScoreOptions{})
	require.NoError(t, err)
	own, err := scorer.Score(t.Context(), written(t, m, n, 1))
	require.NoError(t, err)
	var seen []float64
	for i := range n {
		seen = append(seen, dpo.Perplexity(own.Chosen(i)))
	}
	bound, err := dpo.PerplexityBound(seen, 0.95)
	require.NoError(t, err)

	fresh := written(t, m, n, 2)
	scores, err := scorer.Score(t.Context(), fresh)
	require.NoError(t, err)
	kept, report := dpo.FilterPerplexity(scores, bound)
	assert.InDelta(t, 0.95, float64(report.Kept)/n, 0.01)
	assert.Len(t, kept, report.Kept)
	assert.Equal(t, n, report.Kept+report.Improbable)
	assert.NotZero(t, report.FirstImprobable.Line)
	assert.Contains(t, report.String(), "of 2000 pairs")

	for i := range fresh {
		fresh[i].Chosen, fresh[i].Rejected = fresh[i].Rejected, fresh[i].Chosen
	}
	scores, err = scorer.Score(t.Context(), fresh)
	require.NoError(t, err)
	_, report = dpo.FilterPerplexity(scores, bound)
	assert.GreaterOrEqual(t, float64(report.Improbable)/n, 0.9)
}

// Scores are what generation says of the same tokens, however they are packed.
func TestScoresAreThoseOfTheModel(t *testing.T) {
	const tol = 1e-5 // float32, as generate promises
	m := trial.Model(t, "llama", tensor.Float32)
	pairs := written(t, m, 20, 3)
	g, err := generate.New(m, generate.Config{Sequences: 20, Context: 32})
	require.NoError(t, err)
	defer g.Close()
	var prompts [][]int32
	for _, p := range pairs {
		prompts = append(prompts, p.Prompt)
	}
	texts, err := g.Generate(t.Context(), prompts, generate.Options{MaxTokens: 16, Temperature: 1, IgnoreEOS: true, Seed: 3})
	require.NoError(t, err)
	for _, o := range []dpo.ScoreOptions{{}, {MicroTokens: 40}, {Separate: true}} {
		s, err := dpo.NewScorer(m, "", o)
		require.NoError(t, err)
		scores, err := s.Score(t.Context(), pairs)
		require.NoError(t, err)
		for i, c := range texts {
			require.Equal(t, pairs[i].Chosen, c.IDs())
			require.Len(t, scores.Rejected(i), len(pairs[i].Rejected))
			for j, v := range scores.Chosen(i) {
				require.InDelta(t, c.Tokens[j].LogProb, v, tol*max(1, -v))
			}
		}
	}
}

func TestPerplexityBound(t *testing.T) {
	got, err := dpo.PerplexityBound([]float64{4, 1, 3, 2, 5}, 0.5)
	require.NoError(t, err)
	assert.Equal(t, 3.0, got)
	got, err = dpo.PerplexityBound([]float64{1, 2}, 0.75)
	require.NoError(t, err)
	assert.Equal(t, 1.75, got)
	for _, share := range []float64{0, 1.1, math.NaN()} {
		_, err = dpo.PerplexityBound([]float64{1}, share)
		assert.Error(t, err)
	}
	_, err = dpo.PerplexityBound(nil, 0.95)
	assert.Error(t, err)
	assert.Equal(t, 1.0, dpo.Perplexity(nil))
	assert.InDelta(t, 2, dpo.Perplexity(slices.Repeat([]float64{-math.Ln2}, 7)), 1e-12)
}

func TestNewScorerRefuses(t *testing.T) {
	m := trial.Model(t, "llama", tensor.Float32)
	_, err := dpo.NewScorer(m, "missing", dpo.ScoreOptions{})
	require.ErrorIs(t, err, dpo.ErrOptions)
	_, err = dpo.NewScorer(m, "", dpo.ScoreOptions{MicroTokens: -1})
	require.ErrorIs(t, err, dpo.ErrOptions)
}
