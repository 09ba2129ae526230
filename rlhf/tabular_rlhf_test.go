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

// The check of card P1 on TB2 over five seeds: PPO with the KL in the reward ends at the
// optimum of KL-regularised reward, π* ∝ π₀·e^(r/β). All answers are rows, each weighing
// its probability, so that nothing is left to chance.
func TestPPOFindsTheRegularisedOptimum(t *testing.T) {
	const answers = 8
	for seed := range seeds() {
		for _, beta := range []float64{0.2, 1} {
			t.Run(fmt.Sprint(seed, beta), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 12))
				start, reward := normal(rng, answers, 1), normal(rng, answers, 1)
				p := newTable(t, 1, answers, start).uses(rlhf.Objective{Policy: rlhf.PPO{}}, answers, 1, features{old: true, weight: true})
				ref := p.policy(0)
				best := make([]float64, answers)
				for a := range best {
					best[a] = math.Log(ref[a]) + reward[a]/beta
				}
				best = softmax(best)
				b := rowsOf{states: make([]int32, answers), actions: []int32{0, 1, 2, 3, 4, 5, 6, 7}}
				for range 600 {
					now := p.policy(0)
					b.advantage, b.old, b.weight = make([]float64, answers), make([]float64, answers), make([]float64, answers)
					for a, q := range now {
						b.old[a], b.weight[a] = math.Log(q), answers*q
						b.advantage[a] = reward[a] - beta*advantage.K1(math.Log(q/ref[a]))
					}
					mean := dotProduct(now, b.advantage)
					for a := range b.advantage {
						b.advantage[a] -= mean
					}
					for range 2 {
						p.descend(b, answers, 0.5/beta)
					}
				}
				assert.Less(t, divergence(p.policy(0), best), 0.01)
			})
		}
	}
}

// The other check of card P1: with pretraining rows beside them (PPO-ptx) the same steps
// forget far less of what shares the weights, at little cost in reward.
func TestPretrainingRowsKeepWhatWasKnown(t *testing.T) {
	const known, asked, d, v, group = 4, 4, 6, 6, 8
	var lost float64
	for seed := range seeds() {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			run := func(gamma float64) (forgotten, reward float64) {
				rng := rand.New(rand.NewPCG(seed, 13))
				h := normal(rng, (known+asked)*d, 1)
				for i := range known * d { // what is asked looks like what is known
					h[known*d+i] = h[i] + h[known*d+i]
				}
				rows := known + asked*group
				p := newShared(t, h, known+asked, d, v, make([]float64, v*d)).uses(rlhf.Objective{Policy: rlhf.PPO{}}, rows, 1, features{taught: true})
				given := [][]float64{make([]float64, rows)}
				for i := range known {
					given[0][i] = 1
				}
				nll := func() float64 {
					sum := 0.0
					for s := range known {
						sum -= math.Log(p.policy(int32(s))[s]) / known
					}
					return sum
				}
				b := rowsOf{mask: make([]float64, rows), advantage: make([]float64, rows)}
				for i := range rows {
					b.states, b.actions = append(b.states, int32(i%known)), append(b.actions, int32(i%known))
				}
				b.taught = advantage.Taught(given, 1, known)[0]
				for range 15 {
					p.descend(b, known, 1)
				}
				before := nll()
				const sampled = asked * group
				b.taught = advantage.Taught(given, gamma, sampled)[0]
				for i := range sampled {
					b.mask[known+i] = 1
				}
				for range 150 {
					var r []float64
					var groups []int
					for i := range sampled {
						s := known + i/group
						a := draw(rng, p.policy(int32(s)))
						b.states[known+i], b.actions[known+i] = int32(s), a
						hit := 0.0
						if int(a) == (s+1)%v {
							hit = 1
						}
						r, groups = append(r, hit), append(groups, s)
					}
					copy(b.advantage[known:], advantage.Group(r, groups, advantage.GroupOptions{}).Advantages)
					p.descend(b, sampled, 0.5)
				}
				for s := known; s < known+asked; s++ {
					reward += p.policy(int32(s))[(s+1)%v] / asked
				}
				return nll() - before, reward
			}
			plain, plainReward := run(0)
			ptx, ptxReward := run(0.2)
			t.Logf("forgotten: %.3f nats without, %.3f with pretraining rows; reward %.3f and %.3f", plain, ptx, plainReward, ptxReward)
			assert.Greater(t, plain, 0.1)
			assert.Less(t, ptx, plain/4)
			lost += (plainReward - ptxReward) / 5
		})
	}
	assert.Less(t, lost, 0.1, "reward that it costs, mean over seeds")
}

// judge prefers the better of two answers with a probability of accuracy, and says that the
// first is better, whatever they are, with a probability of bias.
type judge struct {
	rng            *rand.Rand
	accuracy, bias float64
}

func (j judge) first(a, b float64) float64 {
	if j.rng.Float64() < j.bias {
		return 1
	}
	if (a > b) == (j.rng.Float64() < j.accuracy) {
		return 1
	}
	return 0
}

// The checks of card P2: asking in both orders takes the bias of the place out of a win
// rate; the better the judge, the better what is learnt from it.
func TestJudgedBothWays(t *testing.T) {
	const bias = 0.3
	rng := rand.New(rand.NewPCG(1, 14))
	single, both, truth := 0.0, 0.0, 0.0
	const asked = 40000
	j := judge{rng, 0.8, bias}
	for range asked {
		a, b := rng.NormFloat64(), rng.NormFloat64()-0.5
		ab, ba := j.first(a, b), j.first(b, a)
		single += ab / asked
		both += advantage.BothOrders(ab, ba) / asked
		fair := 0.2
		if a > b {
			fair = 0.8
		}
		truth += (0.5 + (1-bias)*(fair-0.5)) / asked // what a judge without the bias of a place says
	}
	t.Logf("win rate: %.3f shown first, %.3f in both orders, %.3f without bias", single, both, truth)
	assert.Greater(t, single, truth+0.1)
	assert.InDelta(t, truth, both, 0.01)

	var gold []float64
	for _, accuracy := range []float64{0.6, 0.7, 0.8, 0.9, 1} {
		mean := 0.0
		for seed := range uint64(5) {
			mean += learnFromJudge(t, seed, accuracy, bias) / 5
		}
		gold = append(gold, mean)
	}
	t.Logf("gold reward by accuracy of the judge: %.3f", gold)
	for i := 1; i < len(gold); i++ {
		assert.Greater(t, gold[i], gold[i-1])
	}
}

// learnFromJudge trains on pairs of arms and returns the expected gold reward.
func learnFromJudge(t *testing.T, seed uint64, accuracy, bias float64) float64 {
	const pairs = 8
	rng := rand.New(rand.NewPCG(seed, 15))
	j := judge{rng, accuracy, bias}
	p := newTable(t, 1, arms, make([]float64, arms)).uses(rlhf.Objective{Policy: rlhf.REINFORCE{}}, 2*pairs, 1, features{})
	for range 60 {
		b := rowsOf{states: make([]int32, 2*pairs)}
		for range pairs {
			x, y := draw(rng, p.policy(0)), draw(rng, p.policy(0))
			won := 0.5
			if x != y {
				won = advantage.BothOrders(j.first(float64(x), float64(y)), j.first(float64(y), float64(x)))
			}
			b.actions = append(b.actions, x, y)
			b.advantage = append(b.advantage, advantage.LeaveOneOut([]float64{won, 1 - won}, []int{0, 0}, false)...)
		}
		p.descend(b, 2*pairs, 0.5)
	}
	return expectedPay(p.policy(0))
}

// Trap T19: what the gradient of each KL term is on the sampling policy, as an exact mean
// over three actions. k1 holds nothing; k2, and k3 with the gradient of k2 or weighed by the
// ratio, give the gradient of KL(π‖π₀); plain k3 gives that of KL(π₀‖π).
func TestKLTermsHaveTheGradientTheySay(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 18))
	start, other := normal(rng, 3, 1), softmax(normal(rng, 3, 1))
	pi := softmax(start)
	var forward, reverse []float64 // ∇KL(π₀‖π) and ∇KL(π‖π₀) by the logits
	for a := range pi {
		forward = append(forward, pi[a]-other[a])
		reverse = append(reverse, pi[a]*(math.Log(pi[a]/other[a])-divergence(pi, other)))
	}
	for name, c := range map[string]struct {
		kl   rlhf.KL
		want []float64
	}{
		"k1": {rlhf.KL{Coef: 1, Estimator: rlhf.K1}, make([]float64, 3)}, "k2": {rlhf.KL{Coef: 1, Estimator: rlhf.K2}, reverse},
		"k3": {rlhf.KL{Coef: 1}, forward}, "k3plus": {rlhf.KL{Coef: 1, Estimator: rlhf.K3Plus}, reverse}, "k3 weighted": {rlhf.KL{Coef: 1, Weighted: true}, reverse},
	} {
		p := newTable(t, 1, 3, start).uses(rlhf.Objective{Policy: rlhf.REINFORCE{}, KL: c.kl}, 1, 1, features{ref: true})
		got := make([]float64, 3)
		for a, q := range pi {
			for i, g := range p.gradient(rowsOf{states: []int32{0}, actions: []int32{int32(a)}, advantage: []float64{0}, ref: []float64{math.Log(other[a])}}, 1) {
				got[i] += q * g
			}
		}
		assert.InDeltaSlice(t, c.want, got, roundingTol, name)
	}
}

// The unit check of card P4: a token that has become likelier by more than ε is not paid
// for once more, and one that has become less likely than 1−ε not punished once more.
func TestClippedTokensHaveNoGradient(t *testing.T) {
	p := newTable(t, 1, 3, []float64{0.5, 0, -0.5}).uses(rlhf.Objective{Policy: rlhf.PPO{}}, 1, 1, features{old: true})
	now := p.logProb([]int32{0}, []int32{0})[0]
	for _, c := range []struct {
		ratio, advantage float64
		clipped          bool
	}{{1.3, 1, true}, {1.3, -1, false}, {0.7, -1, true}, {0.7, 1, false}, {1.1, 1, false}, {0.9, -1, false}} {
		g := p.gradient(rowsOf{states: []int32{0}, actions: []int32{0}, advantage: []float64{c.advantage}, old: []float64{now - math.Log(c.ratio)}}, 1)
		assert.Equal(t, c.clipped, g[0] == 0, "ratio %g, advantage %g", c.ratio, c.advantage)
	}
}
