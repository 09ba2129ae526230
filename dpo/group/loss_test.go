package group_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/group"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/gradcheck"
)

// exact bounds rounding of a few float64 operations, relative.
const exact = 1e-13

func normal(n int, seed uint64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 1))
	out := make([]float64, n)
	for i := range out {
		out[i] = 2 * rng.NormFloat64()
	}
	return out
}

// Check of card P10: with one answer a side the losses are DPO and IPO, and a
// ranking of two is DPO, bit for bit.
func TestOneAnswerASideIsTheOrdinaryLoss(t *testing.T) {
	c, r := normal(6, 1), normal(6, 2)
	for _, beta := range []float64{0.1, 1} {
		assert.Equal(t, lossOf(t, dpo.Sigmoid{}, beta, c, r), lossOf(t, group.MDPO{K: 1}, beta, c, r))
		for _, over := range []dpo.Normalisation{dpo.PerToken, dpo.PerSequence} {
			for i, want := range lossOf(t, dpo.IPO{Over: over}, beta, c, r) {
				assert.InEpsilon(t, want, lossOf(t, group.MIPO{K: 1, Over: over}, beta, c, r)[i], exact)
			}
		}
		for i, want := range lossOf(t, dpo.Sigmoid{}, beta, c, r) {
			assert.InEpsilon(t, want, lossOf(t, group.PlackettLuce{N: 2}, beta, c, r)[i], exact)
		}
	}
}

// The losses are their formulas, on every pair of a group alike.
func TestLossesAreTheirFormulas(t *testing.T) {
	const beta, k = 0.3, 3
	c, r := normal(2*k, 3), normal(2*k, 4)
	for g := range 2 {
		margin := 0.0
		for i := g * k; i < g*k+k; i++ {
			margin += (c[i] - r[i]) / k
		}
		mdpo, mipo := math.Log1p(math.Exp(-beta*margin)), math.Pow(margin-1/(2*beta), 2)
		correction := 0.0
		for _, side := range [][]float64{c[g*k : g*k+k], r[g*k : g*k+k]} {
			mean := (side[0] + side[1] + side[2]) / k
			for _, v := range side {
				correction += (v - mean) * (v - mean) / (k - 1) / k
			}
		}
		for i := g * k; i < g*k+k; i++ {
			assert.InEpsilon(t, mdpo, lossOf(t, group.MDPO{K: k}, beta, c, r)[i], exact)
			assert.InEpsilon(t, mipo, lossOf(t, group.MIPO{K: k}, beta, c, r)[i], exact)
			assert.InDelta(t, mipo-correction, lossOf(t, group.MIPO{K: k, Unbiased: true}, beta, c, r)[i], exact*(mipo+correction))
		}
	}
}

func TestGradientsAreThoseOfTheValues(t *testing.T) {
	const n = 12 // pairs of capacity; 6 are live
	for _, l := range []dpo.Loss{group.MDPO{K: 3}, group.MIPO{K: 3}, group.MIPO{K: 2, Unbiased: true}, group.PlackettLuce{N: 4}, group.PlackettLuce{N: 3}} {
		_, err := gradcheck.Check(gradcheck.Function{
			Inputs: []gradcheck.Input{{Name: "c", Data: normal(n, 5)}, {Name: "r", Data: normal(n, 6)}, {Name: "ones", Data: filled(n, 1), Constant: true}},
			Axes:   []gradcheck.Axis{{Inputs: []string{"c", "r", "ones"}, Live: 6}},
			Build: func(g *tensor.Graph, in map[string]*tensor.Node) tensor.Nodes {
				return tensor.Nodes{l.Build(g, ratios(in["c"], in["r"], in["ones"], 0.4)).Loss}
			},
		}, gradcheck.Options{})
		require.NoError(t, err, l.Name())
	}
}

// chain lays a ranking out as pairs of neighbours.
func chain(scores []float64, order []int) (c, r []float64) {
	for i := range len(order) - 1 {
		c, r = append(c, scores[order[i]]), append(r, scores[order[i+1]])
	}
	return c, r
}

// orders lists all orders of n things.
func orders(n int) (list [][]int) {
	if n == 0 {
		return [][]int{nil}
	}
	for _, rest := range orders(n - 1) {
		for at := range n {
			o := append(append(append([]int(nil), rest[:at]...), n-1), rest[at:]...)
			list = append(list, o)
		}
	}
	return list
}

// Erratum E5: the probabilities that Plackett and Luce give all orders of four
// answers sum to 1; the survey's product, with the sum over all answers in every
// factor, is the same for each order and sums to nothing like 1.
func TestPlackettLuceIsADistributionOverOrders(t *testing.T) {
	scores := []float64{0.3, -1.2, 0.9, 0.1}
	total := 0.0
	for _, s := range scores {
		total += math.Exp(s)
	}
	right, printed := 0.0, 0.0
	seen := map[float64]bool{}
	all := orders(4)
	require.Len(t, all, 24)
	for _, o := range all {
		c, r := chain(scores, o)
		loss := lossOf(t, group.PlackettLuce{N: 4}, 1, c, r)
		require.Equal(t, loss[0], loss[2])
		right += math.Exp(-loss[0])
		seen[math.Round(1e12*loss[0])] = true
		blind := 1.0
		for _, i := range o {
			blind *= math.Exp(scores[i]) / total
		}
		printed += blind
	}
	assert.InDelta(t, 1, right, 1e-12)
	assert.Greater(t, len(seen), 20, "orders have probabilities of their own")
	assert.Less(t, printed, 0.1)
}

func TestLossesDeclareWhereTheyStart(t *testing.T) {
	zero := filled(6, 0)
	for _, l := range []dpo.Described{group.MDPO{K: 3}, group.MIPO{K: 3}, group.MIPO{K: 2, Unbiased: true}, group.PlackettLuce{N: 4}} {
		assert.InEpsilon(t, l.Traits(0.2).AtReference, lossOf(t, l, 0.2, zero, zero)[0], exact, l.Name())
	}
}

// With Unbiased the mean loss over all groups that can be drawn is that of groups
// without end; without it is larger by the variances of the means.
func TestUnbiasedMIPOIsUnbiased(t *testing.T) {
	const beta, k = 0.5, 2
	values := []float64{-1, 0.5, 2} // of both sides, equally likely, as log-ratios
	var c, r []float64
	for i := range 81 {
		c = append(c, values[i%3], values[i/3%3])
		r = append(r, 0.3*values[i/9%3], 0.3*values[i/27])
	}
	mean := (values[0] + values[1] + values[2]) / 3
	want := math.Pow(0.7*mean-1/(2*beta), 2)
	average := func(l dpo.Loss) float64 {
		sum := 0.0
		for _, v := range lossOf(t, l, beta, c, r) {
			sum += v
		}
		return sum / float64(len(c))
	}
	assert.InEpsilon(t, want, average(group.MIPO{K: k, Unbiased: true}), 1e-12)
	variance := 0.0
	for _, v := range values {
		variance += (v - mean) * (v - mean) / 3
	}
	assert.InEpsilon(t, want+(1+0.09)*variance/k, average(group.MIPO{K: k}), 1e-12)
}

func TestLossesRefuseFaultySizes(t *testing.T) {
	for _, l := range []interface{ Validate() error }{
		group.MDPO{}, group.MDPO{K: -1}, group.MIPO{}, group.MIPO{K: 1, Unbiased: true}, group.MIPO{K: 2, Over: 9}, group.PlackettLuce{N: 1}, group.PlackettLuce{N: 1 << 20},
	} {
		assert.Error(t, l.Validate(), "%+v", l)
	}
}
