package ensemble_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/reward/ensemble"
	"github.com/posttrain/posttrain/rlhf/guard"
)

const members = 5

// answer is one of TB5 of the method cards: a true reward and what five reward
// models say of it. Two in a hundred are hacks: worth 2 less than they look, which a
// model sees six times in ten; else it takes the looks and 4 more for true. (So read,
// the card's table comes out in all its columns.)
type answer struct {
	gold   float64
	scores [members]float64
}

func write(rng *rand.Rand) answer {
	a := answer{gold: rng.NormFloat64()}
	looks, hack := a.gold, rng.Float64() < 0.02
	if hack {
		a.gold -= 2
	}
	for i := range a.scores {
		sees := a.gold
		if hack && rng.Float64() < 0.4 {
			sees = looks + 4
		}
		a.scores[i] = sees + 0.7*rng.NormFloat64()
	}
	return a
}

// contender is a score to choose the best of n by.
type contender struct {
	name string
	of   func(a answer) float64
}

func contenders() []contender {
	by := func(name string, r ensemble.Rule) contender {
		return contender{name, func(a answer) float64 { return r.Of(a.scores[:]) }}
	}
	return []contender{
		{"one model", func(a answer) float64 { return a.scores[0] }},
		by("mean of 5", ensemble.Mean{}),
		by("worst of 5", ensemble.Worst{}),
		by("mean − ½ variance", ensemble.Penalised{}),
		by("half nominal, half worst", ensemble.Robust{Lambda: 0.5}),
	}
}

// bestOf gives each contender a curve over the best of n answers.
func bestOf(rng *rand.Rand, sizes []int, trials func(n int) int) []ensemble.Curve {
	who := contenders()
	curves := make([]ensemble.Curve, len(who))
	for _, n := range sizes {
		gold, proxy := make([]float64, len(who)), make([]float64, len(who))
		for range trials(n) {
			best, score := make([]answer, len(who)), make([]float64, len(who))
			for k := range n {
				a := write(rng)
				for i, c := range who {
					if s := c.of(a); k == 0 || s > score[i] {
						best[i], score[i] = a, s
					}
				}
			}
			for i := range who {
				gold[i] += best[i].gold / float64(trials(n))
				proxy[i] += score[i] / float64(trials(n))
			}
		}
		for i := range who {
			curves[i].Name = who[i].name
			curves[i].Distance = append(curves[i].Distance, math.Sqrt(guard.BestOfNKL(n)))
			curves[i].Gold, curves[i].Proxy = append(curves[i].Gold, gold[i]), append(curves[i].Proxy, proxy[i])
		}
	}
	return curves
}

// TB5 (methods.md §4.2), issue 5 done-when 7: the best of n against one reward model
// peaks at n = 16 and goes negative; the mean of five peaks later and still falls;
// the worst and the variance-penalised mean peak at the far end, with a slight dip at
// most. Set POSTTRAIN_CURVES to a file to have the page that is drawn.
func TestConservativeRulesMoveThePeak(t *testing.T) {
	sizes := []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}
	curves := bestOf(rand.New(rand.NewPCG(31, 32)), sizes, func(n int) int {
		switch {
		case n <= 16:
			return 4000
		case n <= 128:
			return 1000
		}
		return 300
	})
	one, mean, worst, penalised, robust := curves[0], curves[1], curves[2], curves[3], curves[4]
	last := len(sizes) - 1
	for _, c := range curves {
		t.Logf("%-24s peak %.2f at n = %d, then %.2f; all %.2f", c.Name, c.Gold[c.Peak()], sizes[c.Peak()], c.Gold[last], c.Gold)
		for i := range last {
			assert.Greater(t, c.Proxy[i+1], c.Proxy[i], "%s: the score itself never stops rising", c.Name)
		}
	}
	// The card's columns at n = 4, 16, 64, 256, 1024. Its runs and ours are finite:
	// 0.25 is about two standard errors of both where outcomes are most spread.
	for name, want := range map[string][]float64{
		"one model": {0.77, 1.10, 0.73, -0.33, -0.72}, "mean of 5": {0.93, 1.52, 1.78, 1.63, 1.05},
		"worst of 5": {0.93, 1.60, 2.11, 2.43, 2.42}, "mean − ½ variance": {0.97, 1.66, 2.17, 2.50, 2.46},
	} {
		for _, c := range curves {
			for k := 0; c.Name == name && k < len(want); k++ {
				assert.InDelta(t, want[k], c.Gold[2+2*k], 0.25, "%s at n = %d", name, sizes[2+2*k])
			}
		}
	}
	assert.Contains(t, []int{8, 16, 32}, sizes[one.Peak()])
	assert.Less(t, one.Gold[last], 0.0)
	assert.LessOrEqual(t, sizes[mean.Peak()], 128, "the plain mean over-optimises too")
	assert.Less(t, mean.Gold[last], mean.Gold[mean.Peak()]-0.4)
	for _, c := range []ensemble.Curve{worst, penalised} {
		assert.GreaterOrEqual(t, sizes[c.Peak()], 256, c.Name)
		assert.Greater(t, c.Gold[last], c.Gold[c.Peak()]-0.25, "%s: a slight dip", c.Name)
		assert.Greater(t, c.Gold[last], mean.Gold[mean.Peak()]+0.3, c.Name)
	}
	assert.Greater(t, robust.Gold[last], one.Gold[last]+1, "half way to the worst")
	assert.Less(t, robust.Gold[last], worst.Gold[last])
	draw(t, curves)
}

// draw writes the page and looks it over.
func draw(t *testing.T, curves []ensemble.Curve) {
	var page bytes.Buffer
	require.NoError(t, ensemble.WriteCurves(&page, "Best of n against reward models (TB5)", curves))
	assert.Equal(t, 2*len(curves), strings.Count(page.String(), "<polyline"))
	assert.Equal(t, len(curves), strings.Count(page.String(), "<circle"))
	for _, c := range curves {
		assert.Contains(t, page.String(), c.Name)
	}
	if path := os.Getenv("POSTTRAIN_CURVES"); path != "" {
		require.NoError(t, os.WriteFile(path, page.Bytes(), 0o644))
	}
}

// λ leads from the nominal model to the worst case.
func TestRobustInterpolates(t *testing.T) {
	scores := []float64{3, 1, 2}
	assert.InDelta(t, 1.0, ensemble.Robust{}.Of(scores), 0)
	assert.InDelta(t, 3.0, ensemble.Robust{Lambda: 1}.Of(scores), 0)
	assert.InDelta(t, 2.0, ensemble.Robust{Lambda: 0.5}.Of(scores), 1e-15)
	assert.InDelta(t, 2-0.5*2.0/3, ensemble.Penalised{}.Of(scores), 1e-15)
	assert.InDelta(t, 2-0.1*math.Sqrt(2.0/3), ensemble.Penalised{Lambda: 0.1, Deviation: true}.Of(scores), 1e-15)
}

func TestCurvesThatCannotBeDrawn(t *testing.T) {
	for _, curves := range [][]ensemble.Curve{
		nil, {{Name: "empty"}}, {{Distance: []float64{1}, Gold: []float64{1, 2}}},
		{{Distance: []float64{1}, Gold: []float64{math.NaN()}}}, {{Distance: []float64{1}, Gold: []float64{1}, Proxy: []float64{}}},
	} {
		assert.Error(t, ensemble.WriteCurves(&bytes.Buffer{}, "t", curves))
	}
	var page bytes.Buffer
	require.NoError(t, ensemble.WriteCurves(&page, "<b>", []ensemble.Curve{{Name: "<script>", Distance: []float64{0}, Gold: []float64{1}}}))
	assert.NotContains(t, page.String(), "<script>")
}
