package eval

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/stretchr/testify/assert"
)

// Tolerances of oracle/eval: closed forms, and p-values relative to their size.
const (
	closedTolerance = 1e-12
	pTolerance      = 1e-9
)

func TestOracleProportionIntervals(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "eval") {
		var f struct {
			Cases []map[string]any `json:"proportion_intervals"`
		}
		oracle.ReadJSON(t, filepath.Join(root, "statistics.json"), &f)
		for _, c := range f.Cases {
			n, k := int(c["n"].(float64)), int(c["successes"].(float64))
			for name, v := range c {
				alpha, ours := strings.CutPrefix(name, "wilson_")
				if pair, ok := v.([]any); ok && !ours {
					tally.Skip(fmt.Sprintf("%s %d/%d", name, k, n), "not offered")
				} else if ok {
					t.Run(fmt.Sprintf("wilson/%d/%d/%s", k, n, alpha), func(t *testing.T) {
						got := Wilson(k, n, map[string]float64{"0.05": 0.95, "0.01": 0.99}[alpha])
						assert.InDelta(t, pair[0], got.Low, closedTolerance)
						assert.InDelta(t, pair[1], got.High, closedTolerance)
						tally.Compared(1)
					})
				}
			}
		}
		for _, name := range []string{"agreement", "correlation", "multiple_testing"} {
			tally.Skip(name, "not offered")
		}
	}
}

func TestOracleMcNemar(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "eval") {
		var f struct {
			Cases []struct {
				First  int     `json:"only_first"`
				Second int     `json:"only_second"`
				Exact  float64 `json:"exact_p"`
			} `json:"mcnemar"`
		}
		oracle.ReadJSON(t, filepath.Join(root, "statistics.json"), &f)
		for _, c := range f.Cases {
			t.Run(fmt.Sprintf("%d-%d", c.First, c.Second), func(t *testing.T) {
				assert.InEpsilon(t, c.Exact, McNemar(c.First, c.Second), pTolerance)
				assert.InEpsilon(t, c.Exact, McNemar(c.Second, c.First), pTolerance)
				tally.Compared(1)
			})
		}
	}
}

// bootstrapCase is a bootstrap whose draws are given.
type bootstrapCase struct {
	ID          string     `json:"id"`
	First       []float64  `json:"first"`
	Second      []float64  `json:"second"`
	Indices     [][]int32  `json:"indices"`
	Mean        float64    `json:"mean"`
	Difference  float64    `json:"difference"`
	Percentile  [2]float64 `json:"percentile_0.95"`
	Percentile9 [2]float64 `json:"percentile_0.9"`
	Paired      [2]float64 `json:"difference_percentile_0.95"`
	Paired9     [2]float64 `json:"difference_percentile_0.9"`
	AtMostZero  float64    `json:"share_difference_at_most_zero"`
}

func TestOracleBootstrap(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "eval") {
		var f struct {
			Cases []bootstrapCase `json:"bootstrap"`
		}
		oracle.ReadJSON(t, filepath.Join(root, "statistics.json"), &f)
		for _, c := range f.Cases {
			t.Run(c.ID, func(t *testing.T) { c.check(t); tally.Compared(1) })
		}
	}
}

func (c *bootstrapCase) check(t *testing.T) {
	ones := slices.Repeat([]float64{1}, len(c.First))
	first, second := &Measurement{Kind: KindMean, Num: c.First, Den: ones}, &Measurement{Kind: KindMean, Num: c.Second, Den: ones}
	assert.InDelta(t, c.Mean, first.Value(), closedTolerance)
	assert.InDelta(t, c.Difference, first.Value()-second.Value(), closedTolerance)
	var means, differences []float64
	atMost := 0
	for _, index := range c.Indices {
		means = append(means, first.of(index))
		d := first.of(index) - second.of(index)
		if differences = append(differences, d); d <= closedTolerance {
			atMost++
		}
	}
	slices.Sort(means)
	slices.Sort(differences)
	for _, p := range []struct {
		want   [2]float64
		sorted []float64
		level  float64
	}{{c.Percentile, means, 0.95}, {c.Percentile9, means, 0.9}, {c.Paired, differences, 0.95}, {c.Paired9, differences, 0.9}} {
		got := percentiles(p.sorted, p.level)
		assert.InDelta(t, p.want[0], got.Low, closedTolerance)
		assert.InDelta(t, p.want[1], got.High, closedTolerance)
	}
	assert.InDelta(t, c.AtMostZero, float64(atMost)/float64(len(c.Indices)), closedTolerance)
}

func TestOraclePerplexity(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "eval") {
		var f struct {
			Cases []struct {
				LogProbs [][]float64 `json:"logprobs"`
				Want     float64     `json:"token_perplexity"`
				NotWant  float64     `json:"mean_of_sequence_perplexities"`
			} `json:"perplexity"`
		}
		oracle.ReadJSON(t, filepath.Join(root, "text.json"), &f)
		for i, c := range f.Cases {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				m := Measurement{Kind: KindPerplexity}
				for _, l := range c.LogProbs {
					m.Num, m.Den = append(m.Num, -sum(l)), append(m.Den, float64(len(l)))
				}
				assert.InEpsilon(t, c.Want, m.Value(), closedTolerance)
				assert.Greater(t, math.Abs(c.NotWant-m.Value()), 1e-3, "a mean of perplexities is something else")
				tally.Compared(1)
			})
		}
	}
}
