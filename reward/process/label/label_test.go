package label_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/reward/process"
	"github.com/posttrain/posttrain/reward/process/label"
)

// letters is a tokenizer that gives each character its code, and reads it back.
type letters struct{}

// AppendIDs implements data.Encoder.
func (letters) AppendIDs(dst []int32, text string, _ bool) []int32 {
	for i := range len(text) {
		dst = append(dst, int32(text[i]))
	}
	return dst
}

// Add implements generate.Stream.
func (letters) Add(id int32) string { return string(rune(id)) }

// Flush implements generate.Stream.
func (letters) Flush() string { return "" }

const tiny = `{"model_type": "llama", "vocab_size": 128, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1,
	"num_attention_heads": 2, "max_position_embeddings": 64, "tie_word_embeddings": true}`

func generator(t testing.TB, c generate.Config) *generate.Generator {
	t.Helper()
	m, err := auto.New([]byte(tiny), model.Random{Seed: 1, Std: 0.2}, model.LoadOptions{})
	require.NoError(t, err)
	g, err := generate.New(m, c)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, g.Close()) })
	return g
}

// A generator finishes solutions: every call draws anew, and the same calls give the
// same texts.
func TestGeneratorsFinishSolutions(t *testing.T) {
	g := generator(t, generate.Config{Sequences: 4, Context: 48, Decode: generate.Text(func() letters { return letters{} })})
	prefixes := []process.Solution{{Prompt: "1+2?"}, {Prompt: "1+2?", Steps: []string{"3"}}}
	run := func() (all [][][]string) {
		s, err := label.NewSampler(g, letters{}, label.SamplerOptions{Generate: generate.Options{MaxTokens: 6, Seed: 3}})
		require.NoError(t, err)
		for range 2 {
			texts, err := s.Continue(t.Context(), prefixes, 3)
			require.NoError(t, err)
			require.Len(t, texts, 2)
			require.Len(t, texts[1], 3)
			all = append(all, texts)
		}
		return all
	}
	first := run()
	assert.Equal(t, first, run())
	assert.NotEqual(t, first[0], first[1], "another call draws anew")
	assert.NotEqual(t, first[0][0][0], first[0][0][1])
	for _, text := range first[0][0] {
		assert.NotEmpty(t, text)
	}
}

// What the sampler of a language model sees of a prefix is what training saw of it.
type recorder struct{ prompts [][]int32 }

// Generate implements label.Generator.
func (r *recorder) Generate(_ context.Context, prompts [][]int32, _ generate.Options) ([]generate.Completion, error) {
	r.prompts = append(r.prompts, prompts...)
	return make([]generate.Completion, len(prompts)), nil
}

func TestPrefixesAreTokenisedAsInTraining(t *testing.T) {
	r, f := &recorder{}, process.Format{Separator: ";", Start: []int32{1}}
	s, err := label.NewSampler(r, letters{}, label.SamplerOptions{Format: f})
	require.NoError(t, err)
	_, err = s.Continue(t.Context(), []process.Solution{{Prompt: "p", Steps: []string{"ab", "c"}}}, 1)
	require.NoError(t, err)
	groups, _, err := process.Prepare(t.Context(), data.Slice[process.Row]{{Prompt: "p", Steps: []string{"ab", "c"}, Labels: []float64{1, 0}}}, letters{}, process.PrepareOptions{Format: f})
	require.NoError(t, err)
	assert.Equal(t, append(append([]int32{}, groups[0].Prompt...), groups[0].Answers[0].IDs...), r.prompts[0])
}

// failing is a sampler that returns what it should not.
type failing struct {
	texts [][]string
	err   error
}

// Continue implements label.Sampler.
func (f failing) Continue(context.Context, []process.Solution, int) ([][]string, error) {
	return f.texts, f.err
}

func TestFaultsAreErrors(t *testing.T) {
	work := task(rand.New(rand.NewPCG(1, 1)), 3, 1)
	for want, s := range map[string]failing{
		"rollouts: no power":                        {err: errors.New("no power")},
		"got rollouts of 1 prefixes, want those of": {texts: [][]string{{"1"}}},
		"got 1 rollouts of a prefix, want 8":        {texts: [][]string{{"1"}, {"1"}}},
	} {
		_, _, err := rater(t, s, label.Options{}).Rate(t.Context(), work)
		assert.ErrorContains(t, err, want)
	}
	_, err := rater(t, failing{err: errors.New("no power")}, label.Options{}).FirstError(t.Context(), work)
	assert.ErrorContains(t, err, "no power")
	r, err := label.New(chain{rand.New(rand.NewPCG(1, 1)), 1}, reward.Func("broken", func(reward.Sample) (float64, error) { return 0, errors.New("no reference") }), label.Options{})
	require.NoError(t, err)
	_, _, err = r.Rate(t.Context(), work)
	assert.ErrorContains(t, err, "no reference", "an answer that cannot be checked is no wrong answer")
	_, err = r.FirstError(t.Context(), work)
	assert.ErrorContains(t, err, "no reference")
	_, err = r.FirstError(t.Context(), label.Task{})
	assert.ErrorContains(t, err, "got no steps")
	_, _, err = r.Rate(t.Context(), label.Task{})
	assert.ErrorContains(t, err, "got no steps")
	_, err = label.New(nil, total, label.Options{Rollouts: -1})
	assert.ErrorContains(t, err, "got no Sampler")
	assert.ErrorContains(t, err, "got -1 Rollouts")
	_, err = label.NewSampler(nil, letters{}, label.SamplerOptions{})
	assert.ErrorContains(t, err, "got no Generator")
	_, err = label.NewSampler(generator(t, generate.Config{Sequences: 1, Context: 8}), letters{}, label.SamplerOptions{})
	assert.ErrorContains(t, err, "want generate.Config.Decode set")
}
