package guard_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/rlhf/guard"
)

// answer is one of TB5 of the method cards: a gold reward, what five reward models say of
// it, and how typical it is under the policy. Two in a hundred are hacks, which look like
// any other but are worth 2 less, are not at all typical, and fool each model by +4 four times
// in ten.
type answer struct {
	gold, typical float64
	models        [5]float64
}

func sampleAnswer(rng *rand.Rand) answer {
	a := answer{gold: rng.NormFloat64(), typical: 0.5 * rng.NormFloat64()}
	seen, hack := a.gold, rng.Float64() < 0.02
	if hack {
		a.gold, a.typical = seen-2, -3
	}
	for i := range a.models {
		a.models[i] = seen + 0.7*rng.NormFloat64()
		if hack && rng.Float64() < 0.4 {
			a.models[i] += 4
		}
	}
	return a
}

func moments(x []float64) (mean, variance float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / float64(len(x)-1)
	}
	return mean, variance
}

// scores are the ways to pick the best of n.
var scores = map[string]func(a answer) float64{
	"single":   func(a answer) float64 { return a.models[0] },
	"mean":     func(a answer) float64 { m, _ := moments(a.models[:]); return m },
	"worst":    func(a answer) float64 { return slices.Min(a.models[:]) },
	"variance": func(a answer) float64 { m, v := moments(a.models[:]); return m - 0.5*v },
	"typical":  func(a answer) float64 { return a.models[0] + a.typical },
	"oracle":   func(a answer) float64 { return a.gold },
}

// bestOf is the mean gold reward, and the mean of the score, of the best of n.
func bestOf(rng *rand.Rand, n, trials int) (gold, score map[string]float64) {
	gold, score = map[string]float64{}, map[string]float64{}
	for range trials {
		best := map[string]answer{}
		for range n {
			a := sampleAnswer(rng)
			for name, s := range scores {
				if b, ok := best[name]; !ok || s(a) > s(b) {
					best[name] = a
				}
			}
		}
		for name, b := range best {
			gold[name] += b.gold / float64(trials)
			score[name] += scores[name](b) / float64(trials)
		}
	}
	return gold, score
}

// The table of §4.2: best of n against one reward model has a hump and goes negative; the
// mean of five still does over-optimise, the worst and the variance-penalised do not.
func TestBestOfNOverOptimises(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 5))
	at := map[int]map[string]float64{}
	var distance, single []float64
	proxy := math.Inf(-1)
	for _, n := range []int{1, 4, 16, 64, 256, 1024} {
		trials := 1200
		if n > 64 {
			trials = 250
		}
		gold, score := bestOf(rng, n, trials)
		at[n] = gold
		distance, single = append(distance, math.Sqrt(guard.BestOfNKL(n))), append(single, gold["single"])
		assert.Greater(t, score["single"], proxy, "the proxy never stops rising")
		proxy = score["single"]
		t.Logf("n %4d, KL %.2f: gold by one model %.2f, mean %.2f, worst %.2f, mean − var/2 %.2f, typical %.2f, oracle %.2f",
			n, guard.BestOfNKL(n), gold["single"], gold["mean"], gold["worst"], gold["variance"], gold["typical"], gold["oracle"])
	}
	assert.Greater(t, at[16]["single"], at[4]["single"])
	assert.Greater(t, at[16]["single"], at[64]["single"]+0.2)
	assert.Less(t, at[1024]["single"], 0.0)
	assert.Greater(t, at[64]["mean"], at[1024]["mean"]+0.3, "the plain mean over-optimises too")
	for _, robust := range []string{"worst", "variance"} {
		assert.Greater(t, at[1024][robust], at[64][robust]-0.1, "%s: a slight dip at most", robust)
		assert.Greater(t, at[1024][robust], 1.8, robust)
	}
	assert.Greater(t, at[1024]["typical"], at[1024]["single"]+2, "RBoN")
	c := guard.FitBestOfN(distance, single)
	assert.InDelta(t, math.Sqrt(guard.BestOfNKL(16)), c.Peak(), 0.35, "the curve's peak is near n = 16")
}

// tilted is the bandit of §4.2: 200 actions, a proxy with an error of 0.6 and a few rare
// actions that the proxy has at 5 and that are worth −2, under a policy tilted by the
// proxy.
type tilted struct{ gold, proxy, base []float64 }

// rare is the probability of each of the three overrated actions.
const rare = 0.002

func newTilted(rng *rand.Rand) tilted {
	var b tilted
	for i := range 200 {
		g := rng.NormFloat64()
		p, q := g+0.6*rng.NormFloat64(), (1-3*rare)/197
		if i < 3 {
			g, p, q = -2, 5, rare
		}
		b.gold, b.proxy, b.base = append(b.gold, g), append(b.proxy, p), append(b.base, q)
	}
	return b
}

type tiltedPolicy struct{ kl, gold, proxy float64 }

// tilt is the policy π₀·e^(proxy/β).
func (b tilted) tilt(beta float64) tiltedPolicy {
	return b.by(func(i int) float64 { return b.proxy[i] / beta })
}

func (b tilted) by(logit func(i int) float64) tiltedPolicy {
	most := math.Inf(-1)
	for i := range b.gold {
		most = math.Max(most, logit(i))
	}
	var z float64
	for i, q := range b.base {
		z += q * math.Exp(logit(i)-most)
	}
	var out tiltedPolicy
	for i, q := range b.base {
		p := q * math.Exp(logit(i)-most) / z
		out.gold, out.proxy = out.gold+p*b.gold[i], out.proxy+p*b.proxy[i]
		if p > 0 {
			out.kl += p * (logit(i) - most - math.Log(z))
		}
	}
	return out
}

// sweep is the policies from hardly to very much optimised.
func (b tilted) sweep() (policies []tiltedPolicy) {
	for beta := 20.0; beta > 0.15; beta *= 0.9 {
		policies = append(policies, b.tilt(beta))
	}
	return policies
}

// A KL budget from a pilot's fitted peak keeps at least 95 % of the best gold reward (§4.2),
// where going on would lose it all.
func TestKLBudgetFromAPilot(t *testing.T) {
	pilot := newTilted(rand.New(rand.NewPCG(3, 6)))
	var d, gold []float64
	for _, p := range pilot.sweep() {
		if p.kl < 2 {
			d, gold = append(d, math.Sqrt(p.kl)), append(gold, p.gold-pilot.by(func(int) float64 { return 0 }).gold)
		}
	}
	c, straight := guard.FitRL(d, gold), guard.FitBestOfN(d, gold)
	t.Logf("peak at d = %.2f; RMSE %.3f, of the other form %.3f", c.Peak(), c.RMSE, straight.RMSE)
	best, stopped, end := math.Inf(-1), math.NaN(), 0.0
	budget := guard.KLBudget("kl", straight.Peak())
	for _, p := range pilot.sweep() {
		best, end = math.Max(best, p.gold), p.gold
		if reason := budget.Observe(guard.Values{"kl": p.kl}); reason != "" && math.IsNaN(stopped) {
			stopped = p.gold
		}
	}
	t.Logf("gold at the stop %.3f, best %.3f, at the end %.3f", stopped, best, end)
	assert.Greater(t, stopped, 0.95*best)
	assert.Less(t, end, 0.0)
}

// Constrained learning (§4.2): with the proxy as its own constraint its mean settles at the
// limit within 2 %, and the gold reward near the best of the frontier.
func TestLagrangianHoldsTheProxyAtItsLimit(t *testing.T) {
	b := newTilted(rand.New(rand.NewPCG(4, 6)))
	best, limit := math.Inf(-1), 0.0
	for _, p := range b.sweep() {
		if p.gold > best {
			best, limit = p.gold, p.proxy
		}
	}
	l := &guard.Lagrangian{Limits: []float64{limit}, Rate: 0.05}
	require.NoError(t, l.Validate())
	logits := make([]float64, len(b.base))
	var p tiltedPolicy
	const keep = 0.3 // KL to the base, without which a price has nothing to balance
	var proxy, gold float64
	const steps, tail = 6000, 1000
	for step := range steps {
		p = b.by(func(i int) float64 { return logits[i] })
		l.Observe(p.proxy)
		for i := range logits { // mirror ascent on reward − keep·KL
			logits[i] += 0.1 * (l.Reward(b.proxy[i], b.proxy[i]) - keep*logits[i])
		}
		if step >= steps-tail {
			proxy, gold = proxy+p.proxy/tail, gold+p.gold/tail
		}
	}
	t.Logf("proxy %.3f for a limit of %.3f, gold %.3f of at most %.3f, price %.2f", proxy, limit, gold, best, l.Prices[0])
	assert.InEpsilon(t, limit, proxy, 0.02)
	assert.InEpsilon(t, best, gold, 0.02)
	require.Error(t, (&guard.Lagrangian{}).Validate())
}

// Fits find the numbers that made the points.
func TestCurvesAreFitted(t *testing.T) {
	var d, bon, rl []float64
	for x := 0.0; x < 4; x += 0.25 {
		d, bon = append(d, x), append(bon, x*(1.5-0.3*x))
		if x == 0 {
			rl = append(rl, 0)
		} else {
			rl = append(rl, x*(1.2-0.7*math.Log(x)))
		}
	}
	c := guard.FitBestOfN(d, bon)
	assert.InDelta(t, 1.5, c.Alpha, 1e-9)
	assert.InDelta(t, 0.3, c.Beta, 1e-9)
	assert.InDelta(t, 2.5, c.Peak(), 1e-9)
	assert.InDelta(t, 0, c.RMSE, 1e-9)
	c = guard.FitRL(d, rl)
	assert.InDelta(t, math.Exp(1.2/0.7-1), c.Peak(), 1e-9)
	assert.True(t, math.IsInf(guard.FitBestOfN([]float64{1, 2}, []float64{1, 4}).Peak(), 1))
	assert.InDelta(t, math.Log(16)-15./16, guard.BestOfNKL(16), 1e-15)
}
