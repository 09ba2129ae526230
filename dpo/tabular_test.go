package dpo_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/internal/bed"
	"github.com/posttrain/posttrain/tensor"
)

// table is TB2 of the method cards: one prompt, a few answers with explicit
// reference probabilities and rewards, and all comparisons with the weights that
// Bradley and Terry give them.
type table struct {
	logRef, reward []float64
	first, second  []int32   // of all ordered pairs
	weights        []float64 // σ(r_first − r_second) / number of pairs
}

func newTable(n int) *table {
	rng := rand.New(rand.NewPCG(1, 2))
	b := &table{}
	var total float64
	for range n {
		b.logRef, b.reward = append(b.logRef, rng.NormFloat64()), append(b.reward, rng.NormFloat64())
		total += math.Exp(b.logRef[len(b.logRef)-1])
	}
	for i := range b.logRef {
		b.logRef[i] -= math.Log(total)
	}
	for i := range int32(n) {
		for j := range int32(n) {
			if i != j {
				b.first, b.second = append(b.first, i), append(b.second, j)
				b.weights = append(b.weights, 1/(1+math.Exp(b.reward[j]-b.reward[i]))/float64(n*(n-1)))
			}
		}
	}
	return b
}

// train minimises the expected loss by gradient descent and returns the policy.
func (b *table) train(t *testing.T, l dpo.Loss, beta, rate float64, steps int) []float64 {
	t.Helper()
	ones := make([]float64, len(b.first))
	for i := range ones {
		ones[i] = 1
	}
	policy, _, err := bed.Problem{
		Weights: b.logRef, Floats: map[string][]float64{"ref": b.logRef, "weights": b.weights, "ones": ones},
		Ints: map[string][]int32{"first": b.first, "second": b.second}, Rate: rate, Steps: steps,
		Build: func(in map[string]*tensor.Node, x *tensor.Node) (loss, watch *tensor.Node) {
			policy := tensor.Sub(x, tensor.BroadcastRows(tensor.Log(tensor.Sum(tensor.Exp(x))), x))
			c, r := tensor.Gather(policy, in["first"]), tensor.Gather(policy, in["second"])
			refC, refR := tensor.Gather(in["ref"], in["first"]), tensor.Gather(in["ref"], in["second"])
			terms := l.Build(nil, dpo.LogProbs{
				Chosen: c, Rejected: r, RefChosen: refC, RefRejected: refR, ChosenRatio: tensor.Sub(c, refC), RejectedRatio: tensor.Sub(r, refR),
				ChosenTokens: in["ones"], RejectedTokens: in["ones"], ChosenLikelihood: c, Beta: beta, Divergence: dpo.ReverseKL{},
			})
			return tensor.MaskedSum(terms.Loss, in["weights"]), policy
		},
	}.Minimise()
	require.NoError(t, err)
	return policy
}

// optimum is log π* of KL-regularised reward: π* ∝ π₀·e^(r/β).
func (b *table) optimum(beta float64) []float64 {
	out := make([]float64, len(b.logRef))
	total := 0.0
	for i := range out {
		out[i] = b.logRef[i] + b.reward[i]/beta
		total += math.Exp(out[i])
	}
	for i := range out {
		out[i] -= math.Log(total)
	}
	return out
}

func (b *table) expectedReward(logPolicy []float64) float64 {
	sum := 0.0
	for i, lp := range logPolicy {
		sum += math.Exp(lp) * b.reward[i]
	}
	return sum
}

// kl is KL(p‖q) as Σ p·(x − 1 − log x) for x = q/p, which cannot cancel below 0.
func kl(p, q []float64) float64 {
	sum := 0.0
	for i := range p {
		d := q[i] - p[i]
		sum += math.Exp(p[i]) * (math.Expm1(d) - d)
	}
	return sum
}

// optimumTol is the card's: KL below 1e-15.
const optimumTol = 1e-15

// The check of card P6: DPO on all comparisons ends at the optimum of
// KL-regularised reward, whatever β.
func TestDPOFindsTheRegularisedOptimum(t *testing.T) {
	b := newTable(8)
	for _, beta := range []float64{0.1, 0.5, 1} {
		t.Run(fmt.Sprint(beta), func(t *testing.T) {
			got := b.train(t, dpo.Sigmoid{}, beta, 8/(beta*beta), 6000)
			assert.Less(t, math.Abs(kl(got, b.optimum(beta))), optimumTol)
		})
	}
}

// The survey prints DPO's loss without logarithm and sign (erratum E1): minimised
// as printed it lowers the reward that the right formula raises.
func TestThePrintedLossLowersTheReward(t *testing.T) {
	b := newTable(8)
	const beta = 0.1
	printed := dpo.LossFunc(func(_ *tensor.Graph, in dpo.LogProbs) dpo.Terms { return dpo.Terms{Loss: tensor.Sigmoid(in.Margin())} })
	start := b.expectedReward(b.logRef)
	right := b.expectedReward(b.train(t, dpo.Sigmoid{}, beta, 100, 300))
	wrong := b.expectedReward(b.train(t, printed, beta, 100, 300))
	assert.Greater(t, right, start+0.3)
	assert.Less(t, wrong, start-0.3)
}

// Where two answers share what they are made of, DPO makes the chosen one less
// likely on its way to a wider margin; DPO-Positive does not.
func TestDPOPositiveKeepsTheChosenAnswer(t *testing.T) {
	start, _ := corner(t, dpo.NLL{}, 1, 0)
	against := func(l dpo.Loss) [3]float64 {
		got, _ := corner(t, dpo.LossFunc(func(g *tensor.Graph, in dpo.LogProbs) dpo.Terms {
			in.ChosenRatio, in.RejectedRatio = tensor.AddScalar(in.Chosen, -math.Log(start[0])), tensor.AddScalar(in.Rejected, -math.Log(start[1]))
			return l.Build(g, in)
		}), 0.1, 400)
		return got
	}
	plain, positive := against(dpo.Sigmoid{}), against(dpo.Positive{})
	assert.Less(t, plain[0], start[0])
	assert.Greater(t, positive[0], start[0])
	assert.Greater(t, positive[0]/positive[1], start[0]/start[1], "and the margin grows")
}
