package eval

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// shares makes a measurement of right (1) and wrong (0) items.
func shares(items ...float64) *Measurement {
	return &Measurement{Name: "exact_match", Kind: KindShare, Num: items, Den: slices.Repeat([]float64{1}, len(items))}
}

func TestIntervalsCoverTheTruth(t *testing.T) {
	const truth, n, trials = 0.1, 60, 2000
	r := rand.New(rand.NewPCG(1, 2))
	wilson, normal := 0, 0
	for range trials {
		values, right := make([]float64, n), 0
		for i := range values {
			if r.Float64() < truth {
				right++
			}
			values[i] = r.NormFloat64() + truth
		}
		if w := Wilson(right, n, 0.95); w.Low <= truth && truth <= w.High {
			wilson++
		}
		if w := NormalMean(values, 0.95); w.Low <= truth && truth <= w.High {
			normal++
		}
	}
	// Nominal 95 %; the standard error of a share of 2,000 is 0.5 points.
	assert.InDelta(t, 0.95, float64(wilson)/trials, 0.02)
	assert.InDelta(t, 0.95, float64(normal)/trials, 0.015)
}

func TestBootstrapCoversThePairedDifference(t *testing.T) {
	const n, trials, change = 80, 300, 0.3
	r := rand.New(rand.NewPCG(3, 4))
	inside, unpaired, paired := 0, 0.0, 0.0
	for trial := range trials {
		before := &Measurement{Kind: KindMean, Num: make([]float64, n), Den: slices.Repeat([]float64{1}, n)}
		after := &Measurement{Kind: KindMean, Num: make([]float64, n), Den: before.Den}
		for i := range n {
			difficulty := 3 * r.NormFloat64() // the same for both
			before.Num[i] = difficulty + r.NormFloat64()
			after.Num[i] = difficulty + change + r.NormFloat64()
		}
		c, err := Compare(before, after, Bootstrap{Resamples: 400, Seed: uint64(trial)})
		require.NoError(t, err)
		if c.Difference.Low <= change && change <= c.Difference.High {
			inside++
		}
		paired += c.Difference.High - c.Difference.Low
		unpaired += c.After.High - c.After.Low + c.Before.High - c.Before.Low
	}
	// The standard error of a share of 300 is 1.3 points; percentile intervals of
	// 80 items are slightly short.
	assert.InDelta(t, 0.94, float64(inside)/trials, 0.04)
	assert.Less(t, paired, unpaired/3, "pairing takes the items' difficulty out")
}

func TestBootstrapDrawsEveryItemEquallyOften(t *testing.T) {
	const n, resamples = 7, 7000
	counts := make([]float64, n)
	index := make([]int32, n)
	b := Bootstrap{Seed: 5}
	for r := range resamples {
		b.indices(index, n, r)
		for _, i := range index {
			counts[i]++
		}
	}
	for _, c := range counts { // binomial: 7,000 ± 3.5·77
		assert.InDelta(t, resamples, c, 270)
	}
	again := make([]int32, n)
	b.indices(again, n, resamples-1)
	assert.Equal(t, index, again)
	Bootstrap{Seed: 6}.indices(again, n, resamples-1)
	assert.NotEqual(t, index, again)
}

func TestCompareShares(t *testing.T) {
	before := shares(0, 0, 0, 0, 1, 1, 0, 0, 0, 0)
	after := shares(1, 1, 1, 1, 1, 0, 1, 1, 0, 0)
	c, err := Compare(before, after, Bootstrap{Seed: 1})
	require.NoError(t, err)
	assert.Equal(t, 10, c.Items)
	assert.InDelta(t, 0.2, c.Before.Value, 1e-15)
	assert.InDelta(t, 0.7, c.After.Value, 1e-15)
	assert.InDelta(t, 0.5, c.Difference.Value, 1e-15)
	assert.InDelta(t, McNemar(1, 6), c.P, 0)
	assert.InDelta(t, 16.0/128, c.P, 1e-12, "7 coins, one or none of one side: 2·(1+7)/2⁷")
	assert.Equal(t, Wilson(7, 10, 0.95), c.After.Interval)
	assert.Less(t, c.Difference.Low, 0.5)
	assert.Greater(t, c.Difference.High, 0.5)

	again, err := Compare(before, after, Bootstrap{Seed: 1})
	require.NoError(t, err)
	assert.Equal(t, c, again)
	same, err := Compare(before, before, Bootstrap{})
	require.NoError(t, err)
	assert.Equal(t, Estimate{}, same.Difference)
	assert.InDelta(t, 1, same.P, 0)
}

func TestComparePerplexities(t *testing.T) {
	before := &Measurement{Name: "perplexity", Kind: KindPerplexity, Num: []float64{20, 10, 35, 8}, Den: []float64{10, 4, 20, 5}}
	after := &Measurement{Name: "perplexity", Kind: KindPerplexity, Num: []float64{15, 7, 24, 6}, Den: []float64{10, 4, 20, 5}}
	c, err := Compare(before, after, Bootstrap{})
	require.NoError(t, err)
	assert.InDelta(t, math.Exp(73.0/39), c.Before.Value, 1e-12)
	assert.InDelta(t, math.Exp(52.0/39)-math.Exp(73.0/39), c.Difference.Value, 1e-12)
	assert.Less(t, c.Difference.High, 0.0, "every example got better")
	assert.InDelta(t, 0.125, c.P, 0.03, "of 16 ways to swap 4 items 2 are as extreme")
}

func TestRandomizationKeepsItsLevel(t *testing.T) {
	const n, trials, level = 12, 400, 0.1
	r := rand.New(rand.NewPCG(8, 9))
	rejected := 0
	for trial := range trials {
		m := [2]*Measurement{}
		for k := range m {
			m[k] = &Measurement{Kind: KindPerplexity}
			for range n {
				m[k].Num, m[k].Den = append(m[k].Num, 3+r.NormFloat64()), append(m[k].Den, 2)
			}
		}
		b := Bootstrap{Resamples: 199, Seed: uint64(trial)}
		p := b.randomizationP(m[0], m[1])
		assert.Equal(t, p, b.randomizationP(m[0], m[1]))
		if p <= level {
			rejected++
		}
	}
	// Nothing differs; the standard error of a share of 400 is 1.5 points.
	assert.InDelta(t, level, float64(rejected)/trials, 0.045)
}

func TestCompareRefusesOtherItems(t *testing.T) {
	perplexity := &Measurement{Name: "perplexity", Kind: KindPerplexity, Num: []float64{1, 2}, Den: []float64{3, 4}}
	other := &Measurement{Name: "perplexity", Kind: KindPerplexity, Num: []float64{1, 2}, Den: []float64{3, 5}}
	for _, pair := range [][2]*Measurement{{shares(1), shares(1, 0)}, {shares(1, 0), perplexity}, {perplexity, other}, {shares(), shares()}} {
		_, err := Compare(pair[0], pair[1], Bootstrap{})
		require.ErrorIs(t, err, ErrNotPaired)
	}
	_, err := Compare(shares(0.5), shares(1), Bootstrap{Resamples: -1, Confidence: 1})
	for _, want := range []string{"item 0 is 0.5/1", "Resamples: got -1", "Confidence: got 1"} {
		require.ErrorContains(t, err, want)
	}
	_, err = Compare(&Measurement{Name: "x", Num: []float64{math.NaN()}, Den: []float64{1}}, shares(1), Bootstrap{})
	require.ErrorContains(t, err, "x: item 0 is NaN/1")
	_, err = Compare(&Measurement{Name: "x", Num: []float64{1}}, shares(1), Bootstrap{})
	require.ErrorContains(t, err, "1 numerators and 0 denominators")
}

func TestEstimatesOfNothing(t *testing.T) {
	assert.Equal(t, Interval{0, 1}, Wilson(0, 0, 0.95))
	assert.Equal(t, Interval{math.Inf(-1), math.Inf(1)}, NormalMean([]float64{3}, 0.95))
	e := (&Measurement{Kind: KindMean}).Estimate(Bootstrap{})
	assert.True(t, math.IsNaN(e.Value) && math.IsNaN(e.Low))
	one := (&Measurement{Kind: KindMean, Num: []float64{6}, Den: []float64{3}}).Estimate(Bootstrap{})
	assert.Equal(t, Estimate{2, Interval{2, 2}}, one)
}

func TestTableIsReadable(t *testing.T) {
	table := Table{Bootstrap: Bootstrap{Seed: 2}}
	right, wrong := slices.Repeat([]float64{1}, 30), slices.Repeat([]float64{0}, 70)
	require.NoError(t, table.Add(shares(append(slices.Repeat([]float64{1}, 4), slices.Repeat([]float64{0}, 96)...)...), shares(append(right, wrong...)...)))
	require.NoError(t, table.Add(
		&Measurement{Name: "perplexity", Kind: KindPerplexity, Num: []float64{20, 10}, Den: []float64{10, 6}},
		&Measurement{Name: "perplexity", Kind: KindPerplexity, Num: []float64{15, 9}, Den: []float64{10, 6}},
	))
	assert.Equal(t, ""+
		"                           before                 after                    change       p  items\n"+
		"exact_match       4.0% [1.6, 9.8]    30.0% [21.9, 39.6]     +26.0% [+17.0, +34.0]  <0.001    100\n"+
		"perplexity   6.521 [5.294, 7.389]  4.482 [4.482, 4.482]  -2.039 [-2.907, -0.8128]   0.529      2\n"+
		"[95% confidence intervals; the change is paired, item by item]\n", table.String())
	require.ErrorIs(t, table.Add(shares(1), shares(1, 1)), ErrNotPaired)
	assert.Len(t, table.Changes, 2)

	raw, err := json.Marshal(table)
	require.NoError(t, err)
	var back Table
	require.NoError(t, json.Unmarshal(raw, &back))
	assert.Equal(t, table.Changes, back.Changes)
	assert.Contains(t, string(raw), `"before":{"value":0.04,"low":`)
}
