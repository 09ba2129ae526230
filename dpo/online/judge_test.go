package online_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo/online"
)

// The check of card P2: a judge that is right with some probability and likes the
// first place; asked in both orders, the win rate of the better answer does not
// depend on the liking, within a point.
func TestBothOrdersCancelTheLikingForAPlace(t *testing.T) {
	const n = 20000
	winRate := func(accuracy, liking float64) (rate, consistency float64) {
		rng := rand.New(rand.NewPCG(11, 12))
		judge := online.BothOrders("simulated", func(_ context.Context, duels []online.Duel) ([]float64, error) {
			p := make([]float64, len(duels))
			right := false
			for i, d := range duels {
				if i%2 == 0 {
					right = rng.Float64() < accuracy // the same opinion in both orders
				}
				better := d.First.LogProb > d.Second.LogProb
				margin := 1.0
				if better != right {
					margin = -1
				}
				p[i] = 1 / (1 + math.Exp(-margin-liking))
			}
			return p, nil
		})
		cases := make([]online.Case, n)
		for i := range cases {
			cases[i].Answers = []online.Answer{{LogProb: rng.Float64()}, {LogProb: rng.Float64()}}
		}
		verdicts, err := judge.Judge(t.Context(), cases)
		require.NoError(t, err)
		for i, v := range verdicts {
			a := cases[i].Answers
			if (v.Scores[0] > v.Scores[1]) == (a[0].LogProb > a[1].LogProb) {
				rate += 1.0 / n
			}
			consistency += float64(v.Consistent) / float64(v.Compared) / n
		}
		return rate, consistency
	}
	for _, accuracy := range []float64{0.6, 0.8, 1} {
		fair, always := winRate(accuracy, 0)
		assert.InDelta(t, accuracy, fair, 0.01)
		assert.InDelta(t, 1, always, 1e-9)
		for _, liking := range []float64{0.5, 2} {
			got, consistent := winRate(accuracy, liking)
			assert.InDelta(t, fair, got, 0.01, "accuracy %g, liking %g", accuracy, liking)
			if liking > 1 {
				assert.InDelta(t, 0, consistent, 1e-9, "it always says first, and the verdict tells")
			}
		}
	}
}

// With several answers the score is the mean over the others.
func TestBothOrdersOfThreeAnswers(t *testing.T) {
	judge := online.BothOrders("sure", func(_ context.Context, duels []online.Duel) ([]float64, error) {
		p := make([]float64, len(duels))
		for i, d := range duels {
			if d.First.LogProb > d.Second.LogProb {
				p[i] = 1
			}
		}
		return p, nil
	})
	got, err := judge.Judge(t.Context(), []online.Case{{Answers: []online.Answer{{LogProb: 2}, {LogProb: 3}, {LogProb: 1}}}, {Answers: []online.Answer{{LogProb: 1}, {LogProb: 2}}}})
	require.NoError(t, err)
	assert.Equal(t, []online.Verdict{{Scores: []float64{0.5, 1, 0}, Compared: 3, Consistent: 3}, {Scores: []float64{0, 1}, Compared: 1, Consistent: 1}}, got)
}

func TestFaultyJudgesAreErrors(t *testing.T) {
	for name, c := range map[string]online.Comparer{
		"too few": func(context.Context, []online.Duel) ([]float64, error) { return nil, nil },
		"range":   func(_ context.Context, d []online.Duel) ([]float64, error) { return []float64{1, 2}, nil },
		"nan":     func(_ context.Context, d []online.Duel) ([]float64, error) { return []float64{math.NaN(), 0}, nil },
		"error":   func(context.Context, []online.Duel) ([]float64, error) { return nil, errors.New("away") },
	} {
		_, err := online.BothOrders("faulty", c).Judge(t.Context(), []online.Case{{Answers: make([]online.Answer, 2)}})
		require.ErrorContains(t, err, "judge faulty", name)
	}
	failing := online.Scored("failing", func(context.Context, online.Question, online.Answer) (float64, error) { return 0, errors.New("away") })
	_, err := failing.Judge(t.Context(), []online.Case{{Answers: make([]online.Answer, 2)}})
	require.ErrorContains(t, err, "judge failing")
}

// letters is a tokenizer of bytes below the vocabulary.
type letters struct{}

func (letters) AppendIDs(dst []int32, text string, _ bool) []int32 {
	for _, b := range []byte(text) {
		dst = append(dst, int32(b)%vocab)
	}
	return dst
}

// A language model's opinion is a probability of its labels, and swapping labels
// is swapping answers.
func TestReader(t *testing.T) {
	m := tinyModel(t)
	q := online.Question{Text: "say hi"}
	plain := func(d online.Duel) string { return d.Question.Text + d.First.Text + "|" + d.Second.Text }
	ask := func(labels [2]string, duels ...online.Duel) []float64 {
		c, err := online.NewReader(m, "", letters{}, online.ReaderOptions{Ask: plain, Labels: labels})
		require.NoError(t, err)
		p, err := c(t.Context(), duels)
		require.NoError(t, err)
		return p
	}
	duel := online.Duel{Question: q, First: online.Answer{Text: "hi"}, Second: online.Answer{Text: "ho ho"}}
	p := ask([2]string{"A", "B"}, duel, duel)
	require.Len(t, p, 2)
	assert.Equal(t, p[0], p[1])
	assert.Greater(t, p[0], 0.0)
	assert.Less(t, p[0], 1.0)
	assert.InDelta(t, 1-p[0], ask([2]string{"B", "A"}, duel)[0], 1e-6)
	assert.Empty(t, ask([2]string{"A", "B"}))
	c, err := online.NewReader(m, "", letters{}, online.ReaderOptions{Labels: [2]string{"A", "B"}})
	require.NoError(t, err)
	p, err = c(t.Context(), []online.Duel{{Question: online.Question{Text: "t", Reference: "r"}}})
	require.NoError(t, err)
	assert.Len(t, p, 1)
	for _, o := range []online.ReaderOptions{{Labels: [2]string{"A", "BB"}}, {Labels: [2]string{"", "B"}}} {
		_, err = online.NewReader(m, "", letters{}, o)
		require.ErrorContains(t, err, "Labels")
	}
	_, err = online.NewReader(m, "", nil, online.ReaderOptions{})
	require.Error(t, err)
	_, err = online.NewReader(m, "missing", letters{}, online.ReaderOptions{})
	require.Error(t, err)
}
