package dpo_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/tensor"
)

// bed is TB2 of the method cards: one prompt, a few answers with explicit
// reference probabilities and rewards, and all comparisons with the weights that
// Bradley and Terry give them.
type bed struct {
	logRef, reward []float64
	first, second  []int32   // of all ordered pairs
	weights        []float64 // σ(r_first − r_second) / number of pairs
}

func newBed(n int) *bed {
	rng := rand.New(rand.NewPCG(1, 2))
	b := &bed{}
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
func (b *bed) train(t *testing.T, l dpo.Loss, beta, rate float64, steps int) []float64 {
	t.Helper()
	logits, err := tensor.NewParam("logits", append([]float64(nil), b.logRef...), len(b.logRef))
	require.NoError(t, err)
	require.NoError(t, logits.SetTrainable(true))
	n := len(b.first)
	var ref, first, second, weights, seed, ones, total, policy *tensor.Node
	var acc []tensor.Accumulation
	g, err := tensor.Build(func(g *tensor.Graph) {
		ref, weights = tensor.Input(g, tensor.Float64, "ref", len(b.logRef)), tensor.Input(g, tensor.Float64, "weights", n)
		seed, ones = tensor.Input(g, tensor.Float64, "seed", 1), tensor.Input(g, tensor.Float64, "ones", n)
		first, second = tensor.Input(g, tensor.Int32, "first", n), tensor.Input(g, tensor.Int32, "second", n)
		x := logits.Node(g)
		policy = tensor.Sub(x, tensor.BroadcastRows(tensor.Log(tensor.Sum(tensor.Exp(x))), x))
		c, r := tensor.Gather(policy, first), tensor.Gather(policy, second)
		refC, refR := tensor.Gather(ref, first), tensor.Gather(ref, second)
		terms := l.Build(g, dpo.LogProbs{
			Chosen: c, Rejected: r, RefChosen: refC, RefRejected: refR, ChosenRatio: tensor.Sub(c, refC), RejectedRatio: tensor.Sub(r, refR),
			ChosenTokens: ones, RejectedTokens: ones, ChosenLikelihood: c, Beta: beta, Divergence: dpo.ReverseKL{},
		})
		total = tensor.MaskedSum(terms.Loss, weights)
		for _, part := range tensor.Gradients(tensor.Nodes{total}, tensor.Nodes{seed}, tensor.Nodes{x})[0] {
			acc = append(acc, tensor.Accumulation{Grad: part, Into: logits})
		}
	})
	require.NoError(t, err)
	run, err := tensor.Compile(g, tensor.Nodes{total, policy}, tensor.CompileOptions{Accumulate: acc})
	require.NoError(t, err)
	one := make([]float64, n)
	for i := range one {
		one[i] = 1
	}
	for node, v := range map[*tensor.Node][]float64{ref: b.logRef, weights: b.weights, seed: {1}, ones: one} {
		require.NoError(t, tensor.Bind(run, node, v))
	}
	require.NoError(t, tensor.Bind(run, first, b.first))
	require.NoError(t, tensor.Bind(run, second, b.second))
	var out []float64
	for range steps {
		clear(logits.Grad64())
		require.NoError(t, run.Run())
		v, err := tensor.Values[float64](run, policy)
		require.NoError(t, err)
		out = append(out[:0], v...)
		for i, g := range logits.Grad64() {
			logits.Data64()[i] -= rate * g
		}
		logits.Changed()
	}
	return out
}

// optimum is log π* of KL-regularised reward: π* ∝ π₀·e^(r/β).
func (b *bed) optimum(beta float64) []float64 {
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

func (b *bed) expectedReward(logPolicy []float64) float64 {
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
	b := newBed(8)
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
	b := newBed(8)
	const beta = 0.1
	printed := dpo.LossFunc(func(_ *tensor.Graph, in dpo.LogProbs) dpo.Terms { return dpo.Terms{Loss: tensor.Sigmoid(in.Margin())} })
	start := b.expectedReward(b.logRef)
	right := b.expectedReward(b.train(t, dpo.Sigmoid{}, beta, 100, 300))
	wrong := b.expectedReward(b.train(t, printed, beta, 100, 300))
	assert.Greater(t, right, start+0.3)
	assert.Less(t, wrong, start-0.3)
}
