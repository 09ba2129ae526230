package rlhf_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/losstest"
)

func outcomeOf(t *testing.T, o rlhf.Objective, b losstest.Batch) losstest.Outcome {
	t.Helper()
	got, err := losstest.Evaluate[float64](o, b)
	require.NoError(t, err)
	return got
}

// full is an objective with everything in it.
func full(l rlhf.Loss) rlhf.Objective {
	return rlhf.Objective{Policy: l, KL: rlhf.KL{Coef: 0.1, Weighted: true}, Entropy: 0.02, OffPolicy: 0.05}
}

// scattered is rows of unequal length with every input there is.
func scattered() losstest.Batch {
	rng := rand.New(rand.NewPCG(1, 20))
	const rows, width = 8, 6
	b := losstest.Batch{Rows: rows, Width: width, Groups: []int32{4, 8}}
	for i := range rows {
		length := 1 + rng.IntN(width)
		for k := range width {
			old := -rng.ExpFloat64()
			b.Old = append(b.Old, old)
			b.LogProb, b.Ref = append(b.LogProb, old+0.3*rng.NormFloat64()), append(b.Ref, old+0.3*rng.NormFloat64())
			b.Sampler, b.Weight = append(b.Sampler, old+0.1*rng.NormFloat64()), append(b.Weight, math.Exp(0.2*rng.NormFloat64()))
			b.Entropy, b.Mask = append(b.Entropy, rng.ExpFloat64()), append(b.Mask, 0)
			b.Keep = append(b.Keep, 0)
			if k < length {
				b.Mask[i*width+k], b.Keep[i*width+k] = 1, float64(k%2)
			}
		}
		b.RowAdvantage, b.RowWeight = append(b.RowAdvantage, rng.NormFloat64()), append(b.RowWeight, math.Exp(0.2*rng.NormFloat64()))
	}
	return b
}

// Traps T1, T2 and T21: whatever the micro-batches, one denominator for all gives the same
// gradient, with the KL term, the bonus, the masks and the corrections in it. MRT's groups
// stay whole.
func TestObjectivesDoNotSeeMicroBatches(t *testing.T) {
	for _, l := range rlhf.Losses() {
		whole := scattered()
		whole.Denominator = 8
		if l.Average().Denominator() == rlhf.OverTokens {
			whole.Denominator = losstest.Total(whole.Mask)
		}
		whole.EntropyCoef = 0.02 * l.Average().EntropyScale(8, losstest.Total(whole.Mask))
		want := outcomeOf(t, full(l), whole)
		for _, cut := range [][]int{{1, 2, 3, 4, 5, 6, 7, 8}, {4, 8}, {3, 8}} {
			if rlhf.TraitsOf(l).WholeGroups && cut[0] != 4 {
				continue
			}
			var grad []float64
			from := 0
			for _, to := range cut {
				part := whole.Slice(from, to)
				grad = append(grad, outcomeOf(t, full(l), part).Grad...)
				from = to
			}
			assert.InDeltaSlice(t, want.Grad, grad, roundingTol, "%s cut at %v", l.Name(), cut)
		}
	}
}

// one is a single row of three tokens, each e^0.1 times as likely as it was.
func one() losstest.Batch {
	return losstest.Batch{
		Rows: 1, Width: 3, LogProb: []float64{-0.9, -0.9, -0.9}, Old: []float64{-1, -1, -1}, Mask: []float64{1, 1, 1},
		RowAdvantage: []float64{2}, Denominator: 1,
	}
}

// Trap T18: RLOO's ratio takes the sum of log-ratios, GSPO's their mean.
func TestRatiosOfWholeRows(t *testing.T) {
	wide := rlhf.Clip{Low: 10}
	assert.InDelta(t, -2*math.Exp(0.3), outcomeOf(t, rlhf.Objective{Policy: rlhf.RLOO{Clip: wide}}, one()).Loss[0], roundingTol)
	assert.InDelta(t, -2*math.Exp(0.1), outcomeOf(t, rlhf.Objective{Policy: rlhf.GSPO{Clip: wide}}, one()).Loss[0], roundingTol)
	assert.InDelta(t, -6*math.Exp(0.1), outcomeOf(t, rlhf.Objective{Policy: rlhf.LUSPO{Clip: wide}}, one()).Loss[0], roundingTol)
}

// Trap T37: corrections multiply the policy's part, not the KL.
func TestCorrectionsLeaveTheKLAlone(t *testing.T) {
	b := one()
	b.Ref = []float64{-0.9 - 0.5, -0.9, -0.9}
	o := rlhf.Objective{Policy: rlhf.GRPO{}, KL: rlhf.KL{Coef: 0.3, Estimator: rlhf.K1}}
	plain := outcomeOf(t, o, b).Loss[0]
	b.Weight, b.RowWeight = []float64{0, 0, 0}, []float64{5}
	assert.InDelta(t, 0.3*0.5/3, outcomeOf(t, o, b).Loss[0], roundingTol)
	assert.InDelta(t, 0.3*0.5/3-2*math.Exp(0.1), plain, roundingTol)
}

// Trap T44: two groups of very different length under both readings of a token mean.
func TestTokenMeanOverTheBatchOrOverGroups(t *testing.T) {
	b := losstest.Batch{
		Rows: 2, Width: 4, LogProb: filled(8, -1), Mask: []float64{1, 0, 0, 0, 1, 1, 1, 1}, RowAdvantage: []float64{1, -1}, Groups: []int32{1, 2},
	}
	b.Denominator = 5
	got := outcomeOf(t, rlhf.Objective{Policy: rlhf.DAPO{}}, b)
	assert.InDelta(t, (-1.0+4)/5, losstest.Total(got.Loss)/b.Denominator, roundingTol)
	b.Denominator = 2
	got = outcomeOf(t, rlhf.Objective{Policy: rlhf.DAPO{Groups: true}}, b)
	assert.InDelta(t, (-1.0+1)/2, losstest.Total(got.Loss)/b.Denominator, roundingTol)
}

// Dual clip and a cap both bound what an answer costs that was bad and has become likely.
func TestDualClipAndCap(t *testing.T) {
	b := losstest.Batch{Rows: 1, Width: 1, LogProb: []float64{-1}, Old: []float64{-1 - math.Log(10)}, Mask: []float64{1}, RowAdvantage: []float64{-2}, Denominator: 1}
	for _, c := range []struct {
		clip           rlhf.Clip
		loss, gradient float64
	}{{rlhf.Clip{}, 20, 20}, {rlhf.Clip{Dual: 3}, 6, 0}, {rlhf.Clip{Cap: 4}, 8, 0}} {
		got := outcomeOf(t, rlhf.Objective{Policy: rlhf.PPO{Clip: c.clip}}, b)
		assert.InDelta(t, c.loss, got.Loss[0], 1e-11)
		assert.InDelta(t, c.gradient, got.Grad[0], 1e-11)
	}
}

// Faulty hyperparameters are found before anything is computed, all at once.
func TestFaultyObjectives(t *testing.T) {
	nan := math.NaN()
	for want, o := range map[string]rlhf.Objective{
		"Policy is nil":         {},
		"Clip.Low is -1":        {Policy: rlhf.GRPO{Clip: rlhf.Clip{Low: -1}}},
		"Clip.High is NaN":      {Policy: rlhf.DAPO{Clip: rlhf.Clip{High: nan}}},
		"Clip.Cap is 0.5":       {Policy: rlhf.PPO{Clip: rlhf.Clip{Cap: 0.5}}},
		"Clip.Dual is 1":        {Policy: rlhf.GSPO{Clip: rlhf.Clip{Dual: 1}}},
		"Length is 0":           {Policy: rlhf.DrGRPO{}},
		"Min 6":                 {Policy: rlhf.CISPO{Min: 6}},
		"Up -1":                 {Policy: rlhf.SAPO{Up: -1}},
		"k -1":                  {Policy: rlhf.VESPO{KUp: -1}},
		"Alpha is -1":           {Policy: rlhf.MRT{Alpha: -1}},
		"Over is 9":             {Policy: rlhf.REINFORCE{Averaged: &rlhf.Average{Over: 9}}},
		"Coef -1":               {Policy: rlhf.GRPO{}, KL: rlhf.KL{Coef: -1}},
		"OffPolicy is NaN":      {Policy: rlhf.GRPO{}, OffPolicy: nan},
		"Entropy is NaN":        {Policy: rlhf.GRPO{}, Entropy: nan},
		"Tokens.Ref is nil":     {Policy: rlhf.GRPO{}, KL: rlhf.KL{Coef: 1}},
		"Tokens.ExactKL is nil": {Policy: rlhf.GRPO{}, KL: rlhf.KL{Coef: 1, Estimator: rlhf.ExactKL}},
		"Tokens.Entropy is nil": {Policy: rlhf.GRPO{}, Entropy: 1},
		"Tokens.GroupEnds":      {Policy: rlhf.MRT{}},
	} {
		_, err := losstest.Evaluate[float64](o, one())
		require.ErrorContains(t, err, want)
	}
	err := rlhf.Objective{Policy: rlhf.GRPO{Clip: rlhf.Clip{Low: -1, Dual: 1}}, OffPolicy: -1}.Validate()
	require.ErrorContains(t, err, "Clip.Low")
	require.ErrorContains(t, err, "Clip.Dual")
	require.ErrorContains(t, err, "OffPolicy")
	require.Error(t, rlhf.Value{Clip: nan}.Validate())
}

// A saved run knows its loss by its name.
func TestNamesOfLossesDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, l := range rlhf.Losses() {
		assert.False(t, seen[l.Name()], l.Name())
		seen[l.Name()] = true
	}
}
