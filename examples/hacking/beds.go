package main

import (
	"math"
	"math/rand/v2"

	"github.com/posttrain/posttrain/reward/ensemble"
	"github.com/posttrain/posttrain/rlhf/guard"
)

// members is the number of reward models.
const members = 5

// answer has a true reward, what the reward models say of it, and how typical it is of
// the first policy.
type answer struct {
	gold, typical float64
	scores        [members]float64
}

// write is an answer: two in a hundred are hacks, worth 2 less than they look, which a
// model sees six times in ten; else it takes the looks and 4 more for true. Hacks are
// not at all typical.
func write(rng *rand.Rand) answer {
	a := answer{gold: rng.NormFloat64(), typical: 0.5 * rng.NormFloat64()}
	looks, hack := a.gold, rng.Float64() < 0.02
	if hack {
		a.gold, a.typical = looks-2, -3
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

// score is what answers are chosen by.
type score struct {
	name string
	of   func(a answer) float64
}

// byRule are the scores that only need the reward models.
func byRule() []score {
	rule := func(name string, r ensemble.Rule) score {
		return score{name, func(a answer) float64 { return r.Of(a.scores[:]) }}
	}
	return []score{
		{"one model", func(a answer) float64 { return a.scores[0] }},
		rule("mean of 5", ensemble.Mean{}), rule("worst of 5", ensemble.Worst{}), rule("mean − ½ variance", ensemble.Penalised{}),
	}
}

// bestOf draws the best of n by each score: its true reward and the score, over √KL.
func bestOf(rng *rand.Rand, most, trials int) []ensemble.Curve {
	list := append(byRule(), score{"one model + log-typicality", func(a answer) float64 { return a.scores[0] + a.typical }},
		score{"the true reward itself", func(a answer) float64 { return a.gold }})
	curves := make([]ensemble.Curve, len(list))
	for n := 1; n <= most; n *= 2 {
		gold, proxy := make([]float64, len(list)), make([]float64, len(list))
		for range trials {
			best := make([]answer, len(list))
			for k := range n {
				a := write(rng)
				for i, s := range list {
					if k == 0 || s.of(a) > s.of(best[i]) {
						best[i] = a
					}
				}
			}
			for i, s := range list {
				gold[i], proxy[i] = gold[i]+best[i].gold/float64(trials), proxy[i]+s.of(best[i])/float64(trials)
			}
		}
		for i, s := range list {
			c := &curves[i]
			c.Name = s.name
			c.Distance, c.Gold, c.Proxy = append(c.Distance, math.Sqrt(guard.BestOfNKL(n))), append(c.Gold, gold[i]), append(c.Proxy, proxy[i])
		}
	}
	return curves
}

// bandit is a policy over 200 answers, of which three are rare and overrated by the
// first reward model: worth −2, they look like 5.
type bandit struct {
	answers []answer
	base    []float64 // probabilities of the first policy
}

func newBandit(rng *rand.Rand) bandit {
	const rare = 0.002
	var b bandit
	for i := range 200 {
		a, q := answer{gold: rng.NormFloat64()}, (1-3*rare)/197
		for m := range a.scores {
			a.scores[m] = a.gold + 0.6*rng.NormFloat64()
		}
		if i < 3 {
			a.gold, q = -2, rare
			for m := range a.scores { // each is fooled by one of the three, the first by all
				if a.scores[m] = -2 + 0.6*rng.NormFloat64(); m == 0 || m == i {
					a.scores[m] = 5
				}
			}
		}
		b.answers, b.base = append(b.answers, a), append(b.base, q)
	}
	return b
}

// tilt is the optimum π₀·e^(score/β) of KL-regularised learning: √KL to π₀, the mean
// true reward and the mean score.
func (b bandit) tilt(s score, beta float64) (distance, gold, proxy float64) {
	most, z := math.Inf(-1), 0.0
	for _, a := range b.answers {
		most = math.Max(most, s.of(a)/beta)
	}
	for i, a := range b.answers {
		z += b.base[i] * math.Exp(s.of(a)/beta-most)
	}
	kl := 0.0
	for i, a := range b.answers {
		tilted := s.of(a)/beta - most - math.Log(z)
		p := b.base[i] * math.Exp(tilted)
		kl, gold, proxy = kl+p*tilted, gold+p*a.gold, proxy+p*s.of(a)
	}
	return math.Sqrt(math.Max(0, kl)), gold, proxy
}

// optimise raises a score, from hardly to very much: β sinks, until stop says so.
func (b bandit) optimise(s score, stop func(distance float64) bool) ensemble.Curve {
	c := ensemble.Curve{Name: s.name}
	for beta := 20.0; beta > 0.15; beta *= 0.9 {
		d, gold, proxy := b.tilt(s, beta)
		c.Distance, c.Gold, c.Proxy = append(c.Distance, d), append(c.Gold, gold), append(c.Proxy, proxy)
		if stop(d) {
			break
		}
	}
	return c
}
