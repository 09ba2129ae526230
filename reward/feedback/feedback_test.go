package feedback_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/reward/feedback"
	"github.com/posttrain/posttrain/tensor"
)

// bandit is TB1 of the method cards: ten arms with the reward 1 + a/9 + N(0, ½²), a
// logging policy that likes low arms and a target that likes high ones.
func bandit(slope float64) (p [10]float64) {
	z := 0.0
	for a := range p {
		p[a] = math.Exp(slope * float64(a))
		z += p[a]
	}
	for a := range p {
		p[a] /= z
	}
	return p
}

func logs(rng *rand.Rand, n int, target, logging [10]float64) []feedback.Logged {
	list := make([]feedback.Logged, n)
	for i := range list {
		a, u := 0, rng.Float64()
		for u -= logging[0]; u >= 0 && a < 9; u -= logging[a] {
			a++
		}
		list[i] = feedback.Logged{Reward: 1 + float64(a)/9 + 0.5*rng.NormFloat64(), Target: math.Log(target[a]), Logging: math.Log(logging[a])}
	}
	return list
}

// The check of card R1 on logs of TB1, over 1,000 of them: IPS has no bias (mean error
// below two standard errors), SNIPS a smaller variance, and both know their own error.
func TestIPSIsUnbiasedAndSNIPSNarrow(t *testing.T) {
	const resamples, n = 1000, 300
	rng := rand.New(rand.NewPCG(1, 2))
	target, logging := bandit(0.15), bandit(-0.15)
	truth := 0.0
	for a, p := range target {
		truth += p * (1 + float64(a)/9)
	}
	var bias, square, error, inside [2]float64
	effective := 0.0
	for range resamples {
		e, err := feedback.Evaluate(logs(rng, n, target, logging), -1)
		require.NoError(t, err)
		effective += e.Effective / resamples
		for k, v := range [2][2]float64{{e.IPS, e.IPSError}, {e.SNIPS, e.SNIPSError}} {
			d := v[0] - truth
			bias[k], square[k], error[k] = bias[k]+d/resamples, square[k]+d*d/resamples, error[k]+v[1]/resamples
			if math.Abs(d) < 1.96*v[1] {
				inside[k] += 1.0 / resamples
			}
		}
	}
	for k, name := range []string{"IPS", "SNIPS"} {
		t.Logf("%-5s of %.3f: bias %+.4f, spread %.4f, its own error %.4f, truth inside 95 %% interval %.3f", name, truth, bias[k], math.Sqrt(square[k]), error[k], inside[k])
		assert.Less(t, math.Abs(bias[k]), 2*math.Sqrt(square[k]/resamples), name)
		assert.InEpsilon(t, math.Sqrt(square[k]), error[k], 0.08, name)
		assert.InDelta(t, 0.945, inside[k], 0.02, name)
	}
	assert.Less(t, square[1], 0.5*square[0])
	assert.Less(t, effective, 0.7*n)
	assert.Greater(t, effective, 0.2*n)
}

// A constant added to all rewards moves SNIPS by just that, and IPS by more or less; a
// bound on weights costs bias, and says so.
func TestSNIPSShiftsWithRewardsAndClippingIsTold(t *testing.T) {
	list := logs(rand.New(rand.NewPCG(3, 4)), 500, bandit(0.5), bandit(-0.5))
	free, err := feedback.Evaluate(list, -1)
	require.NoError(t, err)
	clipped, err := feedback.Evaluate(list, 0)
	require.NoError(t, err)
	assert.Zero(t, free.Clipped)
	assert.Greater(t, free.MaxWeight, 10.0)
	assert.Equal(t, free.MaxWeight, clipped.MaxWeight)
	assert.Positive(t, clipped.Clipped)
	assert.Greater(t, clipped.Effective, free.Effective)
	assert.Less(t, clipped.SNIPS, free.SNIPS, "towards what the logging policy earned")
	for i := range list {
		list[i].Reward += 100
	}
	moved, err := feedback.Evaluate(list, -1)
	require.NoError(t, err)
	assert.InDelta(t, free.SNIPS+100, moved.SNIPS, 1e-9)
	assert.InDelta(t, free.IPS+100*free.MeanWeight, moved.IPS, 1e-9)
}

// place is the examination of the first ten places.
func place(k int) float64 { return 1 / (1 + 0.9*float64(k)) }

// shown are impressions of ten items, the best ones further down the list, or in
// random places.
func shown(rng *rand.Rand, n int, shuffled bool) data.Slice[feedback.Impression] {
	list := make(data.Slice[feedback.Impression], n)
	for i := range list {
		item := rng.IntN(10)
		at := item
		if shuffled {
			at = rng.IntN(10)
		}
		quality := 0.1 + 0.08*float64(item)
		list[i] = feedback.Impression{Prompt: "q", Completion: strconv.Itoa(item), Place: at, Accepted: rng.Float64() < place(at)*quality}
	}
	return list
}

// letters is a tokenizer that gives each character its code.
type letters struct{}

// AppendIDs implements data.Encoder.
func (letters) AppendIDs(dst []int32, text string, _ bool) []int32 {
	for i := range len(text) {
		dst = append(dst, int32(text[i]))
	}
	return dst
}

// fit learns a score for each item from rows, by the loss of package reward.
func fit(t *testing.T, src data.Source[reward.Row]) []float64 {
	t.Helper()
	groups, _, err := reward.Prepare(t.Context(), src, letters{}, reward.PrepareOptions{})
	require.NoError(t, err)
	var b reward.Batch
	b.Reset()
	items := make([]int, len(groups))
	for i, g := range groups {
		b.Add(g, reward.LastToken, int32(i))
		items[i] = int(g.Answers[0].IDs[0] - '0')
	}
	x, err := reward.NewCalculator(reward.Outcome{}, reward.Capacity{Tokens: len(groups), Groups: len(groups), Answers: len(groups), Rows: len(groups)}, 1, tensor.Float64)
	require.NoError(t, err)
	scores, outputs := make([]float64, 10), make([]float64, len(groups))
	for range 100 {
		for i, item := range items {
			outputs[i] = scores[item]
		}
		_, gradient, err := x.At(&b, outputs)
		require.NoError(t, err)
		for i, item := range items {
			scores[item] -= 20 * gradient[i] / float64(len(items))
		}
	}
	return scores
}

// kendall is the rank correlation τ.
func kendall(a, b []float64) (sum float64) {
	for i := range a {
		for j := range i {
			sum += math.Copysign(2, (a[i]-a[j])*(b[i]-b[j])) / float64(len(a)*(len(a)-1))
		}
	}
	return sum
}

// The check of card R2: with a planted bias of places plain clicks rank by place;
// weighted by propensities that were measured on shuffled lists, they rank by quality,
// and go with it instead of with attention.
func TestPropensitiesRecoverQuality(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	seen, err := feedback.Examination(shown(rng, 60000, true))
	require.NoError(t, err)
	for k, p := range seen {
		assert.InDelta(t, place(k), p, 0.05, "place %d", k)
	}
	biased := shown(rng, 6000, false)
	ones := []float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}
	naive := fit(t, feedback.Rows(biased, feedback.Options{Examination: ones}))
	weighted := fit(t, feedback.Rows(biased, feedback.Options{Examination: seen}))
	var quality, attention []float64
	for item := range 10 {
		quality, attention = append(quality, 0.1+0.08*float64(item)), append(attention, place(item))
	}
	before, after := kendall(naive, quality), kendall(weighted, quality)
	was, err := feedback.Divergence(naive, attention, quality)
	require.NoError(t, err)
	is, err := feedback.Divergence(weighted, attention, quality)
	require.NoError(t, err)
	t.Logf("Kendall's τ with quality %.2f, weighted %.2f; correlations %.2f, weighted %.2f", before, after, was, is)
	assert.Greater(t, after, before+0.3)
	assert.Greater(t, after, 0.8)
	assert.Greater(t, is.Gold, was.Gold+0.5)
	assert.Less(t, is.Engagement, was.Engagement)
}

func TestWeightsAreBounded(t *testing.T) {
	src := data.Slice[feedback.Impression]{{Completion: "a", Accepted: true, Propensity: 0.02}, {Completion: "b", Accepted: true, Place: 1}, {Completion: "c", Place: 1}}
	for most, want := range map[float64][]float64{0: {10, 2, 0}, -1: {50, 2, 0}, 1.5: {1.5, 1.5, 0}} {
		var got []float64
		for row, err := range feedback.Rows(src, feedback.Options{Examination: []float64{1, 0.5}, MaxWeight: most}).All() {
			require.NoError(t, err)
			got = append(got, row.Labels...)
		}
		assert.InDeltaSlice(t, want, got, 1e-12)
	}
}

func TestRefusals(t *testing.T) {
	for _, i := range []feedback.Impression{{Place: 3}, {Place: -1}, {Propensity: 1.5}, {Propensity: -1}, {Propensity: math.NaN()}} {
		for _, err := range feedback.Rows(data.Slice[feedback.Impression]{i}, feedback.Options{Examination: []float64{1}}).All() {
			assert.ErrorIs(t, err, feedback.ErrPropensity, "%+v", i)
		}
	}
	_, err := feedback.Examination(data.Slice[feedback.Impression]{{Accepted: true}, {Place: 1}})
	assert.ErrorContains(t, err, "of 1 impressions at place 1 none was accepted")
	_, err = feedback.Examination(data.Slice[feedback.Impression]{{Place: 1 << 20}})
	assert.ErrorIs(t, err, feedback.ErrPropensity)
	for want, list := range map[string][]feedback.Logged{
		"got 1 logged answers":             {{}},
		"sample 1: got reward NaN":         {{}, {Reward: math.NaN()}},
		"a logging probability above 0":    {{}, {Logging: math.Inf(-1)}},
		"gives none of the logged answers": {{Target: math.Inf(-1)}, {Target: math.Inf(-1)}},
	} {
		_, err := feedback.Evaluate(list, 0)
		assert.ErrorContains(t, err, want)
	}
	_, err = feedback.Divergence([]float64{1, 2}, []float64{1}, []float64{1, 2})
	assert.ErrorContains(t, err, "want as many of each")
}

// What a policy would earn is told from logs of another one. Log-probabilities are
// those of whole answers.
func ExampleEvaluate() {
	logs := []feedback.Logged{
		{Reward: 1, Target: math.Log(0.6), Logging: math.Log(0.3)},
		{Reward: 0, Target: math.Log(0.2), Logging: math.Log(0.4)},
		{Reward: 0, Target: math.Log(0.2), Logging: math.Log(0.4)},
	}
	e, err := feedback.Evaluate(logs, 0)
	fmt.Printf("IPS %.2f, SNIPS %.2f of %.1f effective samples %v\n", e.IPS, e.SNIPS, e.Effective, err)
	// Output:
	// IPS 0.67, SNIPS 0.67 of 2.0 effective samples <nil>
}
