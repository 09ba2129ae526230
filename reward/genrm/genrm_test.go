package genrm_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/reward/genrm"
	"github.com/posttrain/posttrain/sft"
	"github.com/posttrain/posttrain/train"
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

const tiny = `{"model_type": "llama", "vocab_size": 128, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
	"num_attention_heads": 4, "max_position_embeddings": 128, "tie_word_embeddings": true}`

func fresh(t testing.TB) model.Model {
	t.Helper()
	m, err := auto.New([]byte(tiny), model.Random{Seed: 1, Std: 0.3}, model.LoadOptions{})
	require.NoError(t, err)
	return m
}

func verifier(t testing.TB, o genrm.Options) *genrm.Verifier {
	t.Helper()
	o.Encoder, o.Tokens = letters{}, 128
	v, err := genrm.New(o)
	require.NoError(t, err)
	return v
}

func score(t testing.TB, v *genrm.Verifier, samples ...reward.Sample) []float64 {
	t.Helper()
	list, err := v.ScoreSamples(t.Context(), samples)
	require.NoError(t, err)
	return list
}

var sample = reward.Sample{Prompt: "2+3=", Completion: "5"}

// likely is p(answer | prompt), by package dpo's forward pass.
func likely(t testing.TB, m model.Model, prompt, answer string) float64 {
	t.Helper()
	s, err := dpo.NewScorer(m, "", dpo.ScoreOptions{MicroTokens: 512})
	require.NoError(t, err)
	got, err := s.Score(t.Context(), []dpo.Pair{{Prompt: letters{}.AppendIDs(nil, prompt, false), Chosen: letters{}.AppendIDs(nil, answer, false), Rejected: []int32{1}}})
	require.NoError(t, err)
	sum := 0.0
	for _, lp := range got.Chosen(0) {
		sum += lp
	}
	return math.Exp(sum)
}

// The score is the probability of the verdict, of one token or of several, as another
// forward pass has it.
func TestScoreIsTheProbabilityOfYes(t *testing.T) {
	m := fresh(t)
	text := "2+3=5\nIs the answer correct (Yes/No)?"
	yes, no := likely(t, m, text+" ", "Yes"), likely(t, m, text+" ", "No")
	assert.InEpsilon(t, yes, score(t, verifier(t, genrm.Options{Model: m}), sample)[0], 1e-4)
	assert.InEpsilon(t, yes/(yes+no), score(t, verifier(t, genrm.Options{Model: m, Share: true}), sample)[0], 1e-4)
	one := genrm.Form{Ask: func(s reward.Sample) string { return s.Completion }, Question: "?", Yes: "Y", No: "N"}
	assert.InEpsilon(t, likely(t, m, "5?", "Y"), score(t, verifier(t, genrm.Options{Model: m, Form: one}), sample)[0], 1e-4)
}

// fixed is a generator of given texts.
type fixed struct {
	texts []string
	err   error
	seeds *[]uint64
}

// Generate implements genrm.Generator.
func (f fixed) Generate(_ context.Context, prompts [][]int32, o generate.Options) ([]generate.Completion, error) {
	if f.seeds != nil {
		*f.seeds = append(*f.seeds, o.Seed)
	}
	out := make([]generate.Completion, min(len(prompts), len(f.texts)))
	for i := range out {
		out[i].Text = f.texts[i]
	}
	return out, f.err
}

// With rationales the score is the mean over them.
func TestScoreIsTheMeanOverRationales(t *testing.T) {
	m, want := fresh(t), 0.0
	thoughts := []string{"2 and 3 is 5", "hm", ""}
	for _, thought := range thoughts {
		want += likely(t, m, "2+3=5\nLet's verify step by step.\n"+thought+"\nVerification: Is the answer correct (Yes/No)? ", "Yes") / 3
	}
	var seeds []uint64
	v := verifier(t, genrm.Options{Model: m, Rationales: 3, Generator: fixed{texts: thoughts, seeds: &seeds}})
	got := score(t, v, sample, reward.Sample{Prompt: "1+1=", Completion: "2"}, sample)
	assert.InEpsilon(t, want, got[0], 1e-4)
	assert.Equal(t, got[0], got[2])
	assert.Equal(t, seeds[0], seeds[2], "the same sample is thought about alike, wherever it stands")
	assert.NotEqual(t, seeds[0], seeds[1])
}

func TestSampledRationalesAreRepeatable(t *testing.T) {
	m := fresh(t)
	g, err := generate.New(m, generate.Config{Sequences: 4, Context: 100, Decode: generate.Text(func() letters { return letters{} })})
	require.NoError(t, err)
	defer g.Close()
	other := reward.Sample{Prompt: "1+1=", Completion: "3"}
	o := genrm.Options{Model: m, Rationales: 4, Generator: g, Generate: generate.Options{MaxTokens: 5}}
	first := score(t, verifier(t, o), sample, other)
	again := score(t, verifier(t, o), other, sample)
	assert.Equal(t, first, []float64{again[1], again[0]})
	o.Generate.Seed = 1
	assert.NotEqual(t, first, score(t, verifier(t, o), sample, other))
}

// judged are sums with right and wrong answers.
func judged(rationales bool) data.Slice[genrm.Judged] {
	var list data.Slice[genrm.Judged]
	for a := range 4 {
		for b := range 2 {
			for _, off := range []int{0, 1} {
				j := genrm.Judged{Sample: reward.Sample{Prompt: string(rune('0'+a)) + "+" + string(rune('0'+b)) + "=", Completion: string(rune('0' + a + b + off))}, Right: off == 0}
				if rationales {
					j.Rationale = "It is " + string(rune('0'+a+b)) + "."
				}
				list = append(list, j)
			}
		}
	}
	return list
}

// short keeps the texts of tests short.
var short = genrm.Form{Question: "ok?", Think: "Why: ", Verdict: " So "}

// learn trains on verdicts by package sft: all there is to the loss.
func learn(t testing.TB, m model.Model, src data.Source[genrm.Judged], steps int) *lora.Adapter {
	t.Helper()
	set, _, err := data.Prepare(t.Context(), genrm.Rows(src, short), letters{}, data.PrepareOptions{EOS: "\n"})
	require.NoError(t, err)
	batches, err := data.NewBatcher(set, data.BatchOptions{TokensPerStep: 400, TokensPerMicro: 400, Seed: 1})
	require.NoError(t, err)
	a, err := lora.Attach(m, "verifier", lora.Config{Rank: 16, Seed: 1})
	require.NoError(t, err)
	tr, err := sft.New(sft.Policy{Model: m, Adapter: a}, batches, sft.Options{}, train.Options{Optimizer: train.AdamW{LR: 2e-2}, MaxSteps: steps})
	require.NoError(t, err)
	for _, err := range tr.Steps(t.Context()) {
		require.NoError(t, err)
	}
	return a
}

// SFT on verdicts makes a verifier of an untrained model: it tells right sums from
// wrong ones.
func TestVerdictsAreLearnt(t *testing.T) {
	m := fresh(t)
	learn(t, m, judged(false), 120)
	v := verifier(t, genrm.Options{Model: m, Adapter: "verifier", Form: short})
	var samples []reward.Sample
	for _, j := range judged(false) {
		samples = append(samples, j.Sample)
	}
	right := 0
	for i, p := range score(t, v, samples...) {
		if (p > 0.5) == (i%2 == 0) {
			right++
		}
	}
	assert.GreaterOrEqual(t, right, 15, "of 16")
}

func TestRows(t *testing.T) {
	var got []data.Row
	for row, err := range genrm.Rows(append(judged(true)[:2], judged(false)[1]), short).All() {
		require.NoError(t, err)
		got = append(got, row)
	}
	assert.Equal(t, []string{"0+0=0\nWhy: ", "0+0=1\nWhy: ", "0+0=1\nok?"}, []string{got[0].Prompt, got[1].Prompt, got[2].Prompt})
	assert.Equal(t, []string{"It is 0. So ok? Yes", "It is 0. So ok? No", " No"}, []string{got[0].Completion, got[1].Completion, got[2].Completion})
	for _, err := range genrm.Rows(data.Slice[genrm.Judged]{{Rationale: "a So b"}}, short).All() {
		assert.ErrorContains(t, err, "rationale holds the text that ends it")
	}
}

func TestRefusals(t *testing.T) {
	m := fresh(t)
	g, err := generate.New(m, generate.Config{Sequences: 1, Context: 8})
	require.NoError(t, err)
	defer g.Close()
	_, err = genrm.New(genrm.Options{Tokens: -1, Rationales: 1})
	for _, want := range []string{"got no Model or no Encoder", "got -1 Tokens", "got Rationales and no Generator"} {
		assert.ErrorContains(t, err, want)
	}
	_, err = genrm.New(genrm.Options{Model: m, Encoder: letters{}, Adapter: "x", Generator: g, Rationales: 1})
	assert.ErrorContains(t, err, `got "x", which is not attached`)
	assert.ErrorContains(t, err, "want generate.Config.Decode set")
	long := reward.Sample{Completion: string(slices.Repeat([]byte("x"), 200))}
	_, err = verifier(t, genrm.Options{Model: m}).Verify(t.Context(), long)
	assert.ErrorContains(t, err, "want at most 128 (Options.Tokens)")
	_, err = verifier(t, genrm.Options{Model: m, Form: genrm.Form{Yes: " Yes", No: " Yes!"}}).Verify(t.Context(), sample)
	assert.ErrorContains(t, err, "want verdicts that differ")
	_, err = verifier(t, genrm.Options{Model: m, Rationales: 2, Generator: fixed{err: errors.New("no power")}}).Verify(t.Context(), sample)
	assert.ErrorContains(t, err, "rationales: no power")
	_, err = verifier(t, genrm.Options{Model: m, Rationales: 2, Generator: fixed{texts: []string{"a"}}}).Verify(t.Context(), sample)
	assert.ErrorContains(t, err, "got 1 completions, want 2")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = verifier(t, genrm.Options{Model: m}).Verify(ctx, sample)
	assert.ErrorIs(t, err, context.Canceled)
}
