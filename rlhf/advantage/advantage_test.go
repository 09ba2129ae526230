package advantage_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/rlhf/advantage"
)

// random is n numbers of a normal distribution.
func random(rng *rand.Rand, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = rng.NormFloat64()
	}
	return out
}

// Groups are told apart by id: rows may come in any order (trap T17).
func TestOrderOfRowsDoesNotMatter(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	rewards, lengths, groups := random(rng, 12), random(rng, 12), []int{0, 0, 0, 0, 5, 5, 5, 2, 2, 2, 2, 2}
	order := rng.Perm(12)
	mixed := func(x []float64) []float64 {
		out := make([]float64, len(x))
		for k, i := range order {
			out[k] = x[i]
		}
		return out
	}
	mixedGroups := make([]int, len(groups))
	for k, i := range order {
		mixedGroups[k] = groups[i]
	}
	gpg := func(r []float64, g []int) []float64 { a, _ := advantage.GPG(r, g); return a }
	for name, pair := range map[string][2][]float64{
		"group": {advantage.Group(rewards, groups, advantage.GroupOptions{}).Advantages, advantage.Group(mixed(rewards), mixedGroups, advantage.GroupOptions{}).Advantages},
		"loo":   {advantage.LeaveOneOut(rewards, groups, false), advantage.LeaveOneOut(mixed(rewards), mixedGroups, false)},
		"opo":   {advantage.OPO(rewards, lengths, groups), advantage.OPO(mixed(rewards), mixed(lengths), mixedGroups)},
		"gpg":   {gpg(rewards, groups), gpg(mixed(rewards), mixedGroups)},
	} {
		near(t, mixed(pair[0]), pair[1], tolerance, name)
	}
}

// Equal rewards teach exactly nothing, whatever their size (trap T16).
func TestEqualRewardsGiveZero(t *testing.T) {
	for _, r := range []float64{0, 1, 0.1, 1e300, -3.3} {
		rewards, groups := []float64{r, r, r, r, r, r, r}, []int{0, 0, 0, 0, 0, 0, 0}
		zero := make([]float64, len(rewards))
		for _, scale := range []advantage.Scale{advantage.GroupStd, advantage.BatchStd, advantage.NoScale} {
			g := advantage.Group(rewards, groups, advantage.GroupOptions{Scale: scale})
			assert.Equal(t, zero, g.Advantages)
			assert.Equal(t, 1.0, g.ZeroStd())
		}
		assert.Equal(t, zero, advantage.LeaveOneOut(rewards, groups, false))
		assert.Equal(t, zero, advantage.Standardize(rewards, 0))
		got, alpha := advantage.GPG(rewards, groups)
		assert.Equal(t, zero, got)
		assert.Zero(t, alpha)
	}
}

// Unknown rewards count nowhere (trap T36).
func TestUnknownRewardsAreLeftOut(t *testing.T) {
	with := []float64{1, math.NaN(), 3, 5, math.NaN(), math.NaN()}
	groups := []int{0, 0, 0, 0, 1, 1}
	without := advantage.Group([]float64{1, 3, 5}, []int{0, 0, 0}, advantage.GroupOptions{}).Advantages
	got := advantage.Group(with, groups, advantage.GroupOptions{}).Advantages
	near(t, []float64{without[0], 0, without[1], without[2], 0, 0}, got, tolerance, "advantages")
	loo := advantage.LeaveOneOut(with, groups, false)
	near(t, []float64{-3, 0, 0, 3, 0, 0}, loo, tolerance, "leave one out")
	assert.Empty(t, advantage.Group(nil, nil, advantage.GroupOptions{}).Advantages)
}

// The check of card P11: A = G/(G−1)·(r − mean) to 1e-12.
func TestLeaveOneOutIsTheScaledDifference(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for size := 2; size < 12; size++ {
		r := random(rng, size)
		mean, _ := advantage.MeanStd(r)
		want := make([]float64, size)
		for i := range want {
			want[i] = float64(size) / float64(size-1) * (r[i] - mean)
		}
		near(t, want, advantage.LeaveOneOut(r, make([]int, size), false), tolerance, "advantages")
	}
}

// A reward far outside of its limits counts no more than one just outside (trap T13).
func TestRewardsAreClippedBeforeTheBaseline(t *testing.T) {
	groups := []int{0, 0, 0}
	a := advantage.LeaveOneOut(advantage.Clip([]float64{10, 1, math.Inf(-1)}, -5, 5), groups, false)
	b := advantage.LeaveOneOut(advantage.Clip([]float64{100, 1, -6}, -5, 5), groups, false)
	assert.Equal(t, a, b)
	assert.True(t, math.IsNaN(advantage.Clip([]float64{math.NaN()}, -1, 1)[0]))
}

// The unit checks of card P4, and observation tokens (trap T12).
func TestGAELimitsAndObservations(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	r, v, m := random(rng, 6), random(rng, 6), ones(6)
	one := func(x []float64) [][]float64 { return [][]float64{x} }
	a, _ := advantage.GAE(one(r), one(v), one(m), 1, 1)
	td, _ := advantage.GAE(one(r), one(v), one(m), 0.9, 0)
	sum := 0.0
	for i := len(r) - 1; i >= 0; i-- {
		sum += r[i]
		assert.InDelta(t, sum-v[i], a[0][i], tolerance, "λ = 1, γ = 1 is return minus value")
		next := 0.0
		if i+1 < len(v) {
			next = v[i+1]
		}
		assert.InDelta(t, r[i]+0.9*next-v[i], td[0][i], tolerance, "λ = 0 is the one-step error")
	}
	plain, _ := advantage.GAE(one(r), one(v), one(m), 0.97, 0.9)
	insert := func(x []float64, with ...float64) []float64 {
		return append(append(append([]float64(nil), x[:3]...), with...), x[3:]...)
	}
	seen, _ := advantage.GAE(one(insert(r, 7, -7)), one(insert(v, 3, 4)), one(insert(m, 0, 0)), 0.97, 0.9)
	near(t, insert(plain[0], 0, 0), seen[0], tolerance, "with observations put in")
}

// The checks of card E5: n-step returns between TD and Monte Carlo, and TD(λ).
func TestNStepMeetsGAE(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	r, v := [][]float64{random(rng, 7)}, [][]float64{random(rng, 7)}
	m := [][]float64{{1, 1, 0, 1, 1, 0, 1}}
	for n, lambda := range map[int]float64{1: 0, 7: 1} {
		a, ret := advantage.NStep(r, v, m, 0.95, n)
		wantA, wantRet := advantage.GAE(r, v, m, 0.95, lambda)
		near(t, wantA[0], a[0], tolerance, "advantages")
		near(t, wantRet[0], ret[0], tolerance, "returns")
	}
	a, _ := advantage.NStep([][]float64{{1, 2, 3}}, [][]float64{{10, 20, 30}}, [][]float64{{1, 1, 1}}, 0.5, 2)
	assert.Equal(t, []float64{1 + 1 + 0.25*30 - 10, 2 + 1.5 - 20, 3 - 30}, a[0])
}

// V-trace on policy with λ = 1 is the Monte-Carlo return and GAE's advantage.
func TestVTraceOnPolicyIsTheReturn(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	lp, r, v := [][]float64{random(rng, 5)}, [][]float64{random(rng, 5)}, [][]float64{random(rng, 5)}
	targets, a := advantage.VTrace(lp, lp, r, v, advantage.VTraceOptions{Gamma: 0.9, Lambda: 1, Rho: 1, C: 1})
	wantA, want := advantage.GAE(r, v, [][]float64{ones(5)}, 0.9, 1)
	near(t, want[0], targets[0], tolerance, "targets")
	near(t, wantA[0], a[0], tolerance, "advantages")
}

// Whitened numbers have mean 0 and variance 1; masked ones do not count (trap T11).
func TestWhitenedMoments(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	x, m := [][]float64{random(rng, 9), random(rng, 4)}, [][]float64{ones(9), {1, 0, 1, 1}}
	x[1][1] = 1e9
	got := advantage.Whiten(x, m, advantage.WhitenOptions{})
	var live []float64
	for i := range got {
		for s, on := range m[i] {
			if on != 0 {
				live = append(live, got[i][s])
			}
		}
	}
	mean, std := advantage.MeanStd(live)
	n := float64(len(live))
	assert.InDelta(t, 0, mean, tolerance)
	assert.InDelta(t, 1, std*math.Sqrt((n-1)/n), 1e-7, "but for the 1e-8 in the root")
	assert.Zero(t, got[1][1])
	kept := advantage.Whiten(x, m, advantage.WhitenOptions{KeepMean: true, Unbiased: true})
	before, _ := advantage.MeanStd([]float64{x[0][0], x[0][1], x[0][2], x[0][3], x[0][4], x[0][5], x[0][6], x[0][7], x[0][8], x[1][0], x[1][2], x[1][3]})
	assert.InDelta(t, (kept[0][0]-before)/(x[0][0]-before), (kept[0][1]-before)/(x[0][1]-before), tolerance, "one factor around the mean")
}

// Outcome supervision is process supervision with one step at the end; earlier steps
// are told to earlier tokens only.
func TestProcessSupervision(t *testing.T) {
	groups, lengths := []int{3, 3, 3}, []int{2, 3, 4}
	rewards := []float64{1, 0, 0.5}
	var steps [][]advantage.Step
	for i, r := range rewards {
		steps = append(steps, []advantage.Step{{End: lengths[i] - 1, Reward: r}})
	}
	want := advantage.Group(rewards, groups, advantage.GroupOptions{}).Advantages
	for i, row := range advantage.Process(steps, lengths, groups, 0) {
		require.Len(t, row, lengths[i])
		for _, a := range row {
			assert.InDelta(t, want[i], a, tolerance)
		}
	}
	two := advantage.Process([][]advantage.Step{{{End: 1, Reward: 1}, {End: 3, Reward: 0}}, {{End: 0, Reward: math.NaN()}}}, []int{4, 1}, []int{0, 0}, 1e-9)
	s := 0.5 / math.Sqrt(0.5) // of 1 and 0
	near(t, []float64{0, 0, -s, -s}, two[0], 1e-8, "tokens of the first step hear of both")
	assert.Equal(t, []float64{0}, two[1])
	equal := advantage.Process([][]advantage.Step{{{End: 0, Reward: 2}}, {{End: 0, Reward: 2}}}, []int{1, 1}, []int{0, 0}, 0)
	assert.Equal(t, [][]float64{{0}, {0}}, equal)
}

// A small drift over a long answer is dropped by the sequence mask, which the kept share
// shows (trap T38).
func TestLongAnswersAreDroppedVisibly(t *testing.T) {
	const length = 4096
	old, sampler, mask := make([]float64, length), make([]float64, length), ones(length)
	for i := range sampler {
		sampler[i] = -1e-3
	}
	rows := func(x []float64) [][]float64 { return [][]float64{x, x[:8]} }
	m := advantage.Correct(rows(old), rows(sampler), rows(mask), advantage.SequenceMask, advantage.Bounds{})
	assert.Zero(t, m.Row[0])
	assert.InDelta(t, math.Exp(8e-3), m.Row[1], tolerance)
	assert.InDelta(t, 8.0/(length+8), m.Kept, tolerance)
	m = advantage.Correct(rows(old), rows(sampler), rows(mask), advantage.TokenMask, advantage.Bounds{})
	assert.Equal(t, 1.0, m.Kept)
	m = advantage.Correct(rows(old), rows(sampler), rows(mask), advantage.NoCorrection, advantage.Bounds{})
	assert.Nil(t, m.Token)
	assert.Nil(t, m.Row)
	assert.Equal(t, 1.0, m.Kept)
}

// The check of card P15: no reward where all lengths are equal; wrong answers are never
// paid for being short.
func TestLengthReward(t *testing.T) {
	groups := []int{0, 0, 0, 1, 1}
	got := advantage.LengthReward([]float64{1, 0, 1, 1, 1}, []float64{10, 10, 30, 7, 7}, groups)
	assert.Equal(t, []float64{0.5, 0, -0.5, 0, 0}, got)
	assert.Equal(t, []float64{-0.5, 0}, advantage.LengthReward([]float64{0, 0}, []float64{9, 1}, []int{0, 0}))
}

// The check of card E3: SCST does not see what is added to all rewards, and has nothing
// to say where the sampled answer is the greedy one.
func TestGreedyBaseline(t *testing.T) {
	assert.Equal(t, []float64{0, 0.5, 0}, advantage.Greedy([]float64{1, 2, math.NaN()}, []float64{1, 1.5, 0}))
	assert.Equal(t, advantage.Greedy([]float64{1, 2}, []float64{0, 1.5}), advantage.Greedy([]float64{5, 6}, []float64{4, 5.5}))
}

func TestMixerSchedule(t *testing.T) {
	s := advantage.MixerSchedule{Length: 7, Delta: 3, WarmUp: 2, EpochsAStep: 2}
	var got []int
	for epoch := range 9 {
		got = append(got, s.TaughtTokens(epoch))
	}
	assert.Equal(t, []int{7, 7, 4, 4, 1, 1, 0, 0, 0}, got)
	assert.Equal(t, [][]float64{{2, 0}, {2, 2}}, advantage.Taught([][]float64{{1, 0}, {1, 1}}, 0.5, 12))
}

func TestTopEntropyOfNothing(t *testing.T) {
	assert.Equal(t, []float64{0, 0}, advantage.TopEntropy([]float64{1, 2}, []float64{0, 0}, 0.5))
	assert.Equal(t, []float64{0, 1, 0}, advantage.TopEntropy([]float64{1, 2, 9}, []float64{1, 1, 0}, 0.2))
	assert.Equal(t, []float64{1, 1, 1}, advantage.TopEntropy([]float64{1, 2, 9}, ones(3), 1))
}

func TestExplainedVariance(t *testing.T) {
	m := [][]float64{{1, 1, 1, 0}}
	assert.Equal(t, 1.0, advantage.ExplainedVariance([][]float64{{1, 2, 3, 9}}, [][]float64{{1, 2, 3, 0}}, m))
	assert.Equal(t, 0.0, advantage.ExplainedVariance([][]float64{{2, 2, 2, 9}}, [][]float64{{1, 2, 3, 0}}, m))
	assert.Equal(t, 0.0, advantage.ExplainedVariance([][]float64{{1, 2, 3, 9}}, [][]float64{{1, 1, 1, 0}}, m))
}

func TestClampedKL(t *testing.T) {
	k := advantage.Clamped(advantage.K3, 10)
	assert.Equal(t, 10.0, k(-50))
	assert.Equal(t, advantage.K3(0.3), k(0.3))
	assert.InEpsilon(t, 0.5e-16, advantage.K3(1e-8), 1e-6, "small differences keep their digits")
}

// The numbers of §4.2 for p = N(0, 1), q = N(µ, 1), whose KL is µ²/2: k1 and k3 are
// unbiased, k2 is not; where the KL is small k1's deviation is twenty times it.
func TestKLEstimatorsHaveTheirKnownMoments(t *testing.T) {
	const n = 400000
	for _, c := range []struct{ kl, k2, sd1, sd3 float64 }{{0.5, 0.625, 2, 1.7}, {0.005, 0.0050125, 20, 1.42}} {
		rng := rand.New(rand.NewPCG(1, 9))
		mu := math.Sqrt(2 * c.kl)
		var k1, k2, k3 []float64
		for range n {
			d := c.kl - mu*rng.NormFloat64()
			k1, k2, k3 = append(k1, advantage.K1(d)), append(k2, advantage.K2(d)), append(k3, advantage.K3(d))
		}
		mean1, sd1 := advantage.MeanStd(k1)
		mean2, _ := advantage.MeanStd(k2)
		mean3, sd3 := advantage.MeanStd(k3)
		se := sd1 / math.Sqrt(n)
		assert.InDelta(t, c.kl, mean1, 4*se)
		assert.InEpsilon(t, c.k2, mean2, 0.02)
		assert.InDelta(t, c.kl, mean3, 4*sd3/math.Sqrt(n))
		assert.InEpsilon(t, c.sd1, sd1/c.kl, 0.03)
		assert.InEpsilon(t, c.sd3, sd3/c.kl, 0.05)
	}
}

// What an overrated answer gains is capped, however high the reward model puts it.
func TestBoundedRewards(t *testing.T) {
	got := advantage.Bounded([]float64{0.5, 1.5, 400, -1000, math.NaN()}, []float64{0.5, 0.5, 0.5, 0.5, 0})
	near(t, []float64{0.5, 1 / (1 + math.Exp(-1)), 1, 0, math.NaN()}, got, tolerance, "bounded")
}
