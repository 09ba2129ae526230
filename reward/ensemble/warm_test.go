package ensemble_test

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/model/blend"
	"github.com/posttrain/posttrain/tensor"
)

const (
	features = 10
	hidden   = 32
)

// mlp is a small reward model r = v·tanh(W·x + b).
type mlp struct{ w, b, v []float64 }

func newMLP(rng *rand.Rand) mlp {
	m := mlp{make([]float64, hidden*features), make([]float64, hidden), make([]float64, hidden)}
	for i := range m.w {
		m.w[i] = rng.NormFloat64() / math.Sqrt(features)
	}
	for i := range m.v {
		m.v[i] = rng.NormFloat64() / math.Sqrt(hidden)
	}
	return m
}

func (m mlp) clone() mlp {
	c := func(x []float64) []float64 { return append([]float64(nil), x...) }
	return mlp{c(m.w), c(m.b), c(m.v)}
}

// score returns r and what the hidden units say.
func (m mlp) score(x []float64, h *[hidden]float64) (r float64) {
	for j := range hidden {
		sum := m.b[j]
		for k, f := range x {
			sum += m.w[j*features+k] * f
		}
		h[j] = math.Tanh(sum)
		r += m.v[j] * h[j]
	}
	return r
}

// step moves the weights against g·∂r/∂weights, with weight decay.
func (m mlp) step(x []float64, h *[hidden]float64, g float64) {
	for j := range hidden {
		back := g * m.v[j] * (1 - h[j]*h[j])
		m.v[j] -= g * h[j]
		m.b[j] -= back
		for k, f := range x {
			m.w[j*features+k] -= back * f
		}
	}
}

// pair is a comparison: the first is said to be better.
type pair struct{ better, worse []float64 }

// compared draws comparisons by the true reward, a share of them the wrong way round.
func compared(rng *rand.Rand, gold mlp, n int, flipped float64) []pair {
	var h [hidden]float64
	list := make([]pair, n)
	for i := range list {
		a, b := make([]float64, features), make([]float64, features)
		for k := range features {
			a[k], b[k] = rng.NormFloat64(), rng.NormFloat64()
		}
		if (gold.score(a, &h) < gold.score(b, &h)) != (rng.Float64() < flipped) {
			a, b = b, a
		}
		list[i] = pair{a, b}
	}
	return list
}

// train minimises the Bradley–Terry loss by stochastic descent in an order of its own,
// with a falling rate.
func (m mlp) train(rng *rand.Rand, pairs []pair, epochs int, rate float64) mlp {
	m = m.clone()
	var hb, hw [hidden]float64
	for epoch := range epochs {
		for k, i := range rng.Perm(len(pairs)) {
			p, left := pairs[i], 1-(float64(epoch)+float64(k)/float64(len(pairs)))/float64(epochs)
			g := rate * left / (1 + math.Exp(m.score(p.better, &hb)-m.score(p.worse, &hw)))
			m.step(p.better, &hb, -g)
			m.step(p.worse, &hw, g)
		}
	}
	return m
}

// params are the weights as model/blend takes them; they share m's memory.
func (m mlp) params(t *testing.T) iter.Seq2[string, *tensor.Param] {
	var list []*tensor.Param
	for i, values := range [][]float64{m.w, m.b, m.v} {
		p, err := tensor.NewParam(fmt.Sprintf("p%d", i), values, len(values))
		require.NoError(t, err)
		list = append(list, p)
	}
	return func(yield func(string, *tensor.Param) bool) {
		for _, p := range list {
			if !yield(p.Name(), p) {
				return
			}
		}
	}
}

// accuracy is the share of pairs in order; several models vote by their mean.
func accuracy(pairs []pair, models ...mlp) float64 {
	var h [hidden]float64
	right := 0.0
	for _, p := range pairs {
		d := 0.0
		for _, m := range models {
			d += m.score(p.better, &h) - m.score(p.worse, &h)
		}
		if d > 0 {
			right += 1 / float64(len(pairs))
		}
	}
	return right
}

// WARM on its own bed (methods.md §4.2): of reward models that were trained from one
// start with a quarter of the labels flipped, each with its own rate and order, the
// one with the mean of the weights is better than the best, and about as good as the
// ensemble at a fifth of its cost; it also forgets more of the flipped labels that
// the members learnt by heart (Ramé et al. 2024, §4.2).
func TestWARMForgetsFlippedLabels(t *testing.T) {
	const seeds, count = 4, 5
	var best, mean, together, merged, learnt, kept float64
	for seed := range uint64(seeds) {
		rng := rand.New(rand.NewPCG(seed, 41))
		gold := newMLP(rng)
		start := newMLP(rng).train(rng, compared(rng, gold, 300, 0.25), 2, 0.05)
		noisy, clean := compared(rng, gold, 800, 0.25), compared(rng, gold, 3000, 0)
		var wrong []pair // those of noisy that are the wrong way round
		for _, p := range noisy {
			if accuracy([]pair{p}, gold) == 0 {
				wrong = append(wrong, p)
			}
		}
		var all []mlp
		var sets []blend.Set
		for i := range count {
			m := start.train(rand.New(rand.NewPCG(seed, uint64(50+i))), noisy, 6, []float64{0.15, 0.16, 0.17, 0.18, 0.19}[i])
			all, sets = append(all, m), append(sets, m.params(t))
		}
		warm := start.clone()
		into := warm.params(t)
		require.NoError(t, blend.Weights(into, nil, sets, blend.Linear{}))
		top := 0.0
		for _, m := range all {
			a := accuracy(clean, m)
			top, mean = max(top, a), mean+a/seeds/count
			learnt += accuracy(wrong, m) / seeds / count
		}
		best, together, merged = best+top/seeds, together+accuracy(clean, all...)/seeds, merged+accuracy(clean, warm)/seeds
		kept += accuracy(wrong, warm) / seeds
	}
	t.Logf("accuracy: members %.3f, best of them %.3f, ensemble %.3f, averaged weights %.3f; flipped labels learnt: members %.3f, averaged %.3f", mean, best, together, merged, learnt, kept)
	assert.Greater(t, merged, best)
	assert.Greater(t, merged, mean+0.01)
	assert.Less(t, math.Abs(merged-together), math.Abs(merged-mean), "closer to the ensemble than to its members")
	assert.Less(t, kept, learnt-0.02)
}
