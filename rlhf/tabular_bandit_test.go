package rlhf_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/advantage"
)

// bandit is TB1 of the method cards: ten arms that pay 1 + a/9 plus noise of deviation ½.
const (
	arms    = 10
	samples = 4
)

func pay(rng *rand.Rand, arm int32) float64 { return 1 + float64(arm)/9 + 0.5*rng.NormFloat64() }

func expectedPay(probs []float64) float64 {
	sum := 0.0
	for a, q := range probs {
		sum += q * (1 + float64(a)/9)
	}
	return sum
}

// baselines are card E1's: nothing, a running mean, the reward of the greedy arm, and
// the mean of the other samples.
var baselines = map[string]func(rng *rand.Rand, r []float64, greedy int32, mean *float64) []float64{
	"none": func(_ *rand.Rand, r []float64, _ int32, _ *float64) []float64 { return r },
	"running mean": func(_ *rand.Rand, r []float64, _ int32, mean *float64) []float64 {
		out := make([]float64, len(r))
		for i := range r {
			out[i] = r[i] - *mean
		}
		for _, v := range r {
			*mean += 0.05 * (v - *mean)
		}
		return out
	},
	"greedy": func(rng *rand.Rand, r []float64, best int32, _ *float64) []float64 {
		base := filled(len(r), pay(rng, best))
		return advantage.Greedy(r, base)
	},
	"leave one out": func(_ *rand.Rand, r []float64, _ int32, _ *float64) []float64 {
		return advantage.LeaveOneOut(r, make([]int, len(r)), false)
	},
}

// pulls are samples of a policy with their advantages.
func pulls(rng *rand.Rand, probs []float64, name string, mean *float64) rowsOf {
	b := rowsOf{states: make([]int32, samples)}
	var r []float64
	for range samples {
		a := draw(rng, probs)
		b.actions, r = append(b.actions, a), append(r, pay(rng, a))
	}
	b.advantage = baselines[name](rng, r, greedy(probs), mean)
	return b
}

// The checks of cards E1 and E3: every baseline leaves the expected gradient as it is; the
// running mean cuts its variance by half or more, the greedy one by less.
func TestBaselinesKeepTheGradientAndCutItsVariance(t *testing.T) {
	const draws = 4000
	uniform := filled(arms, 1./arms)
	exact := make([]float64, arms) // of the expected pay
	for a := range exact {
		exact[a] = uniform[a] * (1 + float64(a)/9 - expectedPay(uniform))
	}
	variance := map[string]float64{}
	for name := range baselines {
		p := newTable(t, 1, arms, make([]float64, arms)).uses(rlhf.Objective{Policy: rlhf.REINFORCE{}}, samples, 1, features{})
		rng := rand.New(rand.NewPCG(1, 1))
		sum, squares, mean := make([]float64, arms), make([]float64, arms), 1.5
		for range draws {
			for a, g := range p.gradient(pulls(rng, uniform, name, &mean), samples) {
				sum[a], squares[a] = sum[a]-g, squares[a]+g*g
			}
		}
		for a := range sum {
			m := sum[a] / draws
			v := squares[a]/draws - m*m
			variance[name] += v / arms
			assert.InDelta(t, exact[a], m, 4*math.Sqrt(v/draws), "%s: arm %d, four standard errors", name, a)
		}
	}
	t.Logf("variance of the gradient of an arm: %v", variance)
	assert.Greater(t, variance["none"], 2*variance["running mean"])
	assert.Greater(t, variance["none"], 2*variance["leave one out"])
	assert.Greater(t, variance["none"], variance["greedy"])
	assert.Greater(t, variance["greedy"], variance["running mean"])
}

// Card E1 over five seeds: with a baseline REINFORCE comes within 1 % of the best arm.
func TestREINFORCEFindsTheBestArm(t *testing.T) {
	for _, name := range []string{"running mean", "leave one out", "greedy"} {
		t.Run(name, func(t *testing.T) {
			worst := 2.0
			for seed := range seeds() {
				rng := rand.New(rand.NewPCG(seed, 2))
				p := newTable(t, 1, arms, make([]float64, arms)).uses(rlhf.Objective{Policy: rlhf.REINFORCE{}}, samples, 1, features{})
				mean := 1.5
				for range 2000 {
					p.descend(pulls(rng, p.policy(0), name, &mean), samples, 0.1)
				}
				worst = math.Min(worst, expectedPay(p.policy(0)))
			}
			t.Logf("least expected pay over seeds: %.3f of 2", worst)
			assert.Greater(t, worst, 1.97)
		})
	}
}

// The check of card E3: once the policy is sure of an arm, its samples are the greedy
// answer and the gradient is 0.
func TestSelfCriticalGradientVanishesWhenSure(t *testing.T) {
	start := make([]float64, arms)
	start[3] = 60
	p := newTable(t, 1, arms, start).uses(rlhf.Objective{Policy: rlhf.REINFORCE{}}, samples, 1, features{})
	b := rowsOf{states: make([]int32, samples), actions: []int32{3, 3, 3, 3}}
	b.advantage = advantage.Greedy(filled(samples, 1.3), filled(samples, 1.3))
	for _, g := range p.gradient(b, samples) {
		assert.Zero(t, g)
	}
}

// offPolicy trains on each batch of samples for many epochs (card P4 and erratum E4): 20
// arms that pay 0 to 1, 64 samples a batch. denominator says under which policy the ratio's
// old log-probabilities are. It returns the expected reward and the largest KL of an
// iteration.
func offPolicy(t *testing.T, seed uint64, l rlhf.Loss, fixedReference bool) (reward, kl float64) {
	const arms, batch, iterations, epochs = 20, 64, 40, 20
	rng := rand.New(rand.NewPCG(seed, 4))
	worth := make([]float64, arms)
	for i, a := range rng.Perm(arms) {
		worth[a] = float64(i) / (arms - 1)
	}
	p := newTable(t, 1, arms, make([]float64, arms)).uses(rlhf.Objective{Policy: l}, batch, 1, features{old: true})
	reference := p.policy(0)
	for range iterations {
		b := rowsOf{states: make([]int32, batch)}
		before := p.policy(0)
		var r []float64
		for range batch {
			a := draw(rng, before)
			b.actions, r = append(b.actions, a), append(r, worth[a]+0.1*rng.NormFloat64())
		}
		b.advantage = advantage.Standardize(r, 0)
		for _, a := range b.actions {
			old := before[a]
			if fixedReference {
				old = reference[a]
			}
			b.old = append(b.old, math.Log(old))
		}
		for range epochs {
			p.descend(b, batch, 1)
		}
		kl = math.Max(kl, divergence(before, p.policy(0)))
	}
	for a, q := range p.policy(0) {
		reward += q * worth[a]
	}
	return reward, kl
}

// Erratum E4 and the check of card P4 over five seeds: with the behaviour policy in the
// denominator PPO finds the best arm in small steps; with the reference there (as the
// survey prints) it stalls, and without a clip it jumps.
func TestPPODenominatorIsTheBehaviourPolicy(t *testing.T) {
	inf := math.Inf(1)
	for seed := range seeds() {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			right, kl := offPolicy(t, seed, rlhf.PPO{}, false)
			wrong, _ := offPolicy(t, seed, rlhf.PPO{}, true)
			free, freeKL := offPolicy(t, seed, rlhf.PPO{Clip: rlhf.Clip{Low: inf, High: inf}}, false)
			t.Logf("expected reward: PPO %.3f (largest KL %.3f), reference in the denominator %.3f, no clip %.3f (largest KL %.2f)", right, kl, wrong, free, freeKL)
			assert.Greater(t, right, 0.98)
			assert.Less(t, wrong, right-0.3)
			assert.Less(t, kl, 0.1)
			assert.Greater(t, freeKL, 10*kl)
		})
	}
}
