package prefs_test

import (
	"testing"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/online"
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/examples/internal/prefs"
	"github.com/posttrain/posttrain/examples/internal/tiny"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/train"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseLoss(t *testing.T) {
	for text, want := range map[string]string{
		"sigmoid": "sigmoid", "ipo:1": "ipo", "sigmoid:0.8, bco_pair:0.2,sft": "sigmoid:0.8,bco_pair:0.2,sft:1", "hinge:2": "hinge:2", "wpo_sigmoid": "wpo_sigmoid",
	} {
		got, err := prefs.ParseLoss(text)
		require.NoError(t, err)
		assert.Equal(t, want, got.Name())
	}
	for _, text := range []string{"", "klingon", "sigmoid:", "sigmoid:NaN", "orpo", "wpo_klingon", "sigmoid,,ipo"} {
		_, err := prefs.ParseLoss(text)
		assert.Error(t, err, text)
	}
	assert.Contains(t, prefs.LossNames(), "sft")
	assert.NotContains(t, prefs.LossNames(), "simpo")
}

// The rule knows right sums, and the estimate of the KL is 0 where the policy is its
// reference and grows as it leaves.
func TestQuestionsAndKL(t *testing.T) {
	c, err := tiny.Open(auto.Options{})
	require.NoError(t, err)
	f := &cli.Flags{Limit: 8, EvalLimit: 8, MaxLength: 64, Rank: 2}
	q, err := prefs.OpenQuestions(t.Context(), f, c)
	require.NoError(t, err)
	require.Len(t, q.Training, 8)
	judge, done, err := prefs.OpenJudge(f, "", q)
	require.NoError(t, err)
	require.NoError(t, done())
	first := q.Training[0] // 34+36=
	verdicts, err := judge.Judge(t.Context(), []online.Case{{Question: first, Answers: []online.Answer{{Text: "70"}, {Text: "71"}, {Text: ""}}}})
	require.NoError(t, err)
	assert.Equal(t, []float64{1, 0, 0}, verdicts[0].Scores)
	_, _, err = prefs.OpenJudge(f, "nowhere", q)
	assert.ErrorContains(t, err, "-judge")

	in, err := prefs.OpenPairs(t.Context(), f, c)
	require.NoError(t, err)
	p, err := prefs.Policy(f, c)
	require.NoError(t, err)
	kl, err := prefs.NewKL(f, p, in.Evaluation)
	require.NoError(t, err)
	defer kl.Close()
	measured := func() (float64, bool) {
		var m train.Metrics
		require.NoError(t, prefs.Evaluators{kl}.Evaluate(t.Context(), &m))
		return m.Value("objective/kl")
	}
	_, ok := measured()
	assert.False(t, ok, "no reference is named yet")
	require.NoError(t, kl.Against(p, &dpo.Frozen{Model: p.Model}))
	v, ok := measured()
	assert.True(t, ok)
	assert.InDelta(t, 0, v, 1e-4)
	for _, q := range p.Adapter.Params() {
		v := make([]float64, q.Len())
		for i := range v {
			v[i] = 0.2
		}
		require.NoError(t, q.Set(v))
	}
	v, _ = measured()
	assert.Greater(t, v, 0.01)
}
