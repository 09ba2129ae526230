package feedback_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/rlhf/feedback"
	"github.com/posttrain/posttrain/rlhf/rollout"
)

// simulated is right about which number is larger with probability right, and with
// probability place says that whatever is shown first is better. It says 0 or 1.
func simulated(right, place float64, seed uint64) feedback.Judge {
	r := rand.New(rand.NewPCG(seed, 3))
	return feedback.JudgeFunc("simulated", func(_ context.Context, duels []feedback.Duel) ([]float64, error) {
		p := make([]float64, len(duels))
		for i, d := range duels {
			a, _ := strconv.ParseFloat(d.First, 64)
			b, _ := strconv.ParseFloat(d.Second, 64)
			if first := (a > b) == (r.Float64() < right); first || r.Float64() < place {
				p[i] = 1
			}
		}
		return p, nil
	})
}

// contests are answers of two systems that are equally good.
func contests(n int, seed uint64) (list []feedback.Case, gold float64) {
	r := rand.New(rand.NewPCG(seed, 4))
	for range n {
		a, b := r.NormFloat64(), r.NormFloat64()
		if a > b {
			gold += 1 / float64(n)
		}
		list = append(list, feedback.Case{Prompt: "p", Answers: []string{strconv.FormatFloat(a, 'g', -1, 64), strconv.FormatFloat(b, 'g', -1, 64)}})
	}
	return list, gold
}

// TestOrdersCancelPlaceBias is the check of card P2: asked in both orders, the win
// rate of a system moves by less than 1 % whatever the judge's place bias.
func TestOrdersCancelPlaceBias(t *testing.T) {
	const n, tolerance = 40000, 0.01 // 2.8 standard errors of a share of n, asked twice
	cases, _ := contests(n, 5)
	duels := make([]feedback.Duel, n)
	for i, c := range cases {
		duels[i] = feedback.Duel{First: c.Answers[0], Second: c.Answers[1]}
	}
	rate := func(place float64) (won, liking float64) {
		opinions, err := feedback.BothOrders(t.Context(), simulated(0.8, place, 6), duels)
		require.NoError(t, err)
		for _, o := range opinions {
			won += o.First / n
			liking += o.Place / n
		}
		return won, liking
	}
	fair, none := rate(0)
	for _, place := range []float64{0.1, 0.3, 0.6} {
		won, liking := rate(place)
		t.Logf("place %.1f: won %.4f, fair %.4f; liking %.3f", place, won, fair, liking)
		assert.InDelta(t, fair, won, tolerance)
		assert.InDelta(t, place/2, liking-none, tolerance, "and the bias is measured")
	}
}

// TestLabelsAreAsGoodAsTheJudge is monotone in its accuracy, with and without a
// place bias.
func TestLabelsAreAsGoodAsTheJudge(t *testing.T) {
	cases, _ := contests(4000, 7)
	last := 0.0
	for _, right := range []float64{0.6, 0.7, 0.8, 0.9, 1} {
		list, stats, err := feedback.Label(t.Context(), simulated(right, 0.2, 8), cases, feedback.LabelOptions{})
		require.NoError(t, err)
		good := 0
		for _, p := range list {
			a, _ := strconv.ParseFloat(p.Chosen, 64)
			b, _ := strconv.ParseFloat(p.Rejected, 64)
			if a > b {
				good++
			}
		}
		share := float64(good) / float64(len(list))
		t.Logf("right %.1f: labels %.3f of %d kept, consistent %d", right, share, stats.Kept, stats.Consistent)
		assert.Greater(t, share, last)
		assert.Equal(t, stats.Compared, stats.Kept+stats.Even+stats.Unknown+stats.Turned)
		last = share
	}
	assert.InDelta(t, 1, last, 0)
}

func TestLabelKeepsWhatIsAskedFor(t *testing.T) {
	judge := feedback.JudgeFunc("table", func(_ context.Context, duels []feedback.Duel) ([]float64, error) {
		p := make([]float64, len(duels))
		for i, d := range duels {
			p[i] = map[string]float64{"ab": 0.9, "ba": 0.1, "ac": 0.9, "ca": 0.8, "bc": 0.5, "cb": 0.5, "ad": math.NaN(), "da": 0}[d.First+d.Second]
		}
		return p, nil
	})
	label := func(o feedback.LabelOptions, answers ...string) ([]feedback.Preference, feedback.LabelStats) {
		list, stats, err := feedback.Label(t.Context(), judge, []feedback.Case{{Prompt: "p", Answers: answers}}, o)
		require.NoError(t, err)
		return list, stats
	}
	list, stats := label(feedback.LabelOptions{}, "a", "b", "c", "a")
	require.Len(t, list, 4, "a twice, so a–b and a–c are asked twice, a–a never, b–c is even")
	assert.Equal(t, "a", list[0].Chosen)
	assert.InDelta(t, 0.9, list[0].P, 1e-15)
	assert.Equal(t, feedback.LabelStats{Compared: 5, Consistent: 3, Even: 1, Kept: 4, Place: stats.Place}, stats)
	list, _ = label(feedback.LabelOptions{MinGap: 0.1}, "a", "c")
	assert.Empty(t, list)
	list, stats = label(feedback.LabelOptions{Consistent: true}, "a", "c")
	assert.Empty(t, list)
	assert.Equal(t, 1, stats.Turned)
	_, stats = label(feedback.LabelOptions{}, "a", "d")
	assert.Equal(t, 1, stats.Unknown)
	_, _, err := feedback.Label(t.Context(), judge, nil, feedback.LabelOptions{MinGap: 0.5, Principles: []string{""}})
	require.ErrorContains(t, err, "MinGap")
	require.ErrorContains(t, err, "Principles[0]")
}

func TestPrinciplesAreDrawn(t *testing.T) {
	seen := map[string]int{}
	judge := feedback.JudgeFunc("x", func(_ context.Context, duels []feedback.Duel) ([]float64, error) {
		for i := range duels {
			seen[duels[i].Principle]++
			assert.Equal(t, duels[i-i%2].Principle, duels[i].Principle, "both orders are under one principle")
		}
		return make([]float64, len(duels)), nil
	})
	cases, _ := contests(100, 9)
	_, _, err := feedback.Label(t.Context(), judge, cases, feedback.LabelOptions{Principles: []string{"be kind", "be brief"}})
	require.NoError(t, err)
	assert.Greater(t, min(seen["be kind"], seen["be brief"]), 60)
	assert.Equal(t, 200, seen["be kind"]+seen["be brief"])
}

func TestJudgesThatFail(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		p   []float64
		err error
	}{"error": {nil, broken}, "too few": {[]float64{1}, nil}, "no probability": {[]float64{1, 1.5}, nil}} {
		t.Run(name, func(t *testing.T) {
			j := feedback.JudgeFunc("j", func(context.Context, []feedback.Duel) ([]float64, error) { return c.p, c.err })
			_, err := feedback.BothOrders(t.Context(), j, []feedback.Duel{{First: "a", Second: "b"}})
			require.Error(t, err)
			assert.True(t, errors.Is(err, broken) || errors.Is(err, feedback.ErrJudge), err)
		})
	}
}

// group is a group of completions with those texts.
func group(id int64, texts ...string) (list []rollout.Completion) {
	p := &rollout.Prompt{Text: "p"}
	for i, s := range texts {
		list = append(list, rollout.Completion{Group: id, Index: i, Prompt: p, Text: s})
	}
	return list
}

func TestWinRate(t *testing.T) {
	w, err := feedback.WinRate(simulated(1, 0, 1), feedback.WinRateOptions{})
	require.NoError(t, err)
	got, err := w.Rewards(t.Context(), append(append(group(1, "3", "1", "2"), group(2, "5")...), group(3, "4", "4")...))
	require.NoError(t, err)
	assert.Equal(t, []float64{1, 0, 0.5}, got[:3])
	assert.True(t, math.IsNaN(got[3]), "nobody to compare with")
	assert.Equal(t, []float64{0.5, 0.5}, got[4:])

	asked := 0
	count := feedback.JudgeFunc("count", func(_ context.Context, duels []feedback.Duel) ([]float64, error) {
		asked += len(duels)
		return make([]float64, len(duels)), nil
	})
	w, err = feedback.WinRate(count, feedback.WinRateOptions{Opponents: 2})
	require.NoError(t, err)
	_, err = w.Rewards(t.Context(), group(1, "0", "1", "2", "3", "4", "5", "6"))
	require.NoError(t, err)
	assert.Equal(t, 2*7*2, asked)
	_, err = feedback.WinRate(count, feedback.WinRateOptions{Opponents: -1})
	require.Error(t, err)
}
