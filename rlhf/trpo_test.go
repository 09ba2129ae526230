package rlhf_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/losstest"
	"github.com/posttrain/posttrain/tensor"
)

// regional is a table of logits (S, V) as a TrustRegion: the surrogate and the KL are
// sums over tokens, weighted.
type regional struct {
	rlhf.TrustPrograms
	logits, old *tensor.Param
	weights     []float64
	advantage   []float64
}

// newRegion makes tokens of the given states and actions; weights add up to 1.
func newRegion(t *testing.T, start, old []float64, v int, rows, actions []int32, weights, advantages []float64) *regional {
	t.Helper()
	s := len(start) / v
	r := &regional{weights: weights, advantage: advantages}
	var err error
	r.logits, err = tensor.NewParam("logits", append([]float64(nil), start...), s, v)
	require.NoError(t, err)
	require.NoError(t, r.logits.SetTrainable(true))
	r.old, err = tensor.NewParam("old", append([]float64(nil), old...), s, v)
	require.NoError(t, err)
	eye, err := tensor.NewParam("eye", identity(v), v, v)
	require.NoError(t, err)
	r.Params = []*tensor.Param{r.logits}
	r.Gain = r.program(t, rows, actions, func(g *tensor.Graph, rows, actions *tensor.Node, in map[string]*tensor.Node) *tensor.Node {
		now := tensor.TokenLogProb(r.logits.Node(g), eye.Node(g), rows, actions, tensor.LogProbOptions{}).LogProb
		before := tensor.TokenLogProb(r.old.Node(g), eye.Node(g), rows, actions, tensor.LogProbOptions{}).LogProb
		w := tensor.Exp(tensor.Sub(now, tensor.Detach(before)))
		return tensor.MaskedSum(tensor.Mul(w, in["advantage"]), in["weight"])
	})
	r.Penalty = r.program(t, rows, actions, func(g *tensor.Graph, rows, _ *tensor.Node, in map[string]*tensor.Node) *tensor.Node {
		now, before := tensor.Distribution{H: r.logits.Node(g), Head: eye.Node(g)}, tensor.Distribution{H: r.old.Node(g), Head: eye.Node(g)}
		return tensor.MaskedSum(tensor.TokenKL(now, before, rows).ReferenceToPolicy, in["weight"])
	})
	return r
}

func (r *regional) program(t *testing.T, rows, actions []int32, build func(g *tensor.Graph, rows, actions *tensor.Node, in map[string]*tensor.Node) *tensor.Node) rlhf.TrustProgram {
	t.Helper()
	var value *tensor.Node
	in, ints := map[string]*tensor.Node{}, map[string]*tensor.Node{}
	var acc []tensor.Accumulation
	g, err := tensor.Build(func(g *tensor.Graph) {
		for _, name := range []string{"weight", "advantage"} {
			in[name] = tensor.Input(g, tensor.Float64, name, len(rows))
		}
		in["seed"] = tensor.Input(g, tensor.Float64, "seed", 1)
		for _, name := range []string{"rows", "actions"} {
			ints[name] = tensor.Input(g, tensor.Int32, name, len(rows))
		}
		value = build(g, ints["rows"], ints["actions"], in)
		for _, part := range tensor.Gradients(tensor.Nodes{value}, tensor.Nodes{in["seed"]}, tensor.Nodes{r.logits.Node(g)})[0] {
			acc = append(acc, tensor.Accumulation{Grad: part, Into: r.logits})
		}
	})
	require.NoError(t, err)
	run, err := tensor.Compile(g, tensor.Nodes{value}, tensor.CompileOptions{Accumulate: acc})
	require.NoError(t, err)
	for name, v := range map[string][]float64{"weight": r.weights, "advantage": r.advantage, "seed": {1}} {
		require.NoError(t, tensor.Bind(run, in[name], v))
	}
	require.NoError(t, tensor.Bind(run, ints["rows"], rows))
	require.NoError(t, tensor.Bind(run, ints["actions"], actions))
	return rlhf.TrustProgram{Program: run, Value: value}
}

func identity(n int) []float64 {
	out := make([]float64, n*n)
	for i := range n {
		out[i*n+i] = 1
	}
	return out
}

// trpoGradientTol: the fixture's gradients are central differences, good to about 1e-9.
const trpoGradientTol = 1e-8

func TestOracleTRPO(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "trainers/independent") {
		var file struct {
			Cases []struct {
				ID      string                     `json:"id"`
				Inputs  map[string]array           `json:"inputs"`
				Outputs map[string]independentData `json:"outputs"`
			} `json:"cases"`
		}
		oracle.ReadJSON(t, filepath.Join(root, "trpo.json"), &file)
		for _, c := range file.Cases {
			t.Run(c.ID, func(t *testing.T) {
				v := c.Inputs["old_logits"].Shape[2]
				mask, adv := c.Inputs["mask"].values(), c.Inputs["advantages"].values()
				total := losstest.Total(mask)
				var rows, actions []int32
				for i, a := range c.Inputs["actions"].values() {
					rows, actions = append(rows, int32(i)), append(actions, int32(a))
					mask[i] /= total
				}
				r := newRegion(t, c.Inputs["new_logits"].values(), c.Inputs["old_logits"].values(), v, rows, actions, mask, adv)
				grad := make([]float64, len(rows)*v)
				got, err := r.Surrogate(grad)
				require.NoError(t, err)
				near(t, c.Outputs["surrogate"], []float64{got}, loss64Tol, "surrogate")
				near(t, c.Outputs["grad_surrogate_new_logits"], grad, trpoGradientTol, "its gradient")
				got, err = r.KL(grad)
				require.NoError(t, err)
				near(t, c.Outputs["kl_old_new"], []float64{got}, loss64Tol, "KL")
				near(t, c.Outputs["grad_kl_new_logits"], grad, trpoGradientTol, "its gradient")
			})
			tally.Compared(1)
		}
	}
}

// world is S states of K actions, all states equally likely, as exact expectations.
type world struct {
	s, k   int
	reward []float64
}

func newWorld(seed uint64, s, k int) world {
	rng := rand.New(rand.NewPCG(seed, 3))
	w := world{s: s, k: k}
	for range s * k {
		w.reward = append(w.reward, rng.NormFloat64())
	}
	return w
}

// value is the expected reward of a policy, its probabilities and the advantages.
func (w world) value(logits []float64) (j float64, p, adv []float64) {
	for i := range w.s {
		probs := softmax(logits[i*w.k : (i+1)*w.k])
		mean := dotProduct(probs, w.reward[i*w.k:(i+1)*w.k])
		j += mean / float64(w.s)
		for a, q := range probs {
			p, adv = append(p, q), append(adv, w.reward[i*w.k+a]-mean)
		}
	}
	return j, p, adv
}

// region is the policy's trust region, over all states and actions.
func (w world) region(t *testing.T, logits []float64) *regional {
	_, p, adv := w.value(logits)
	var rows, actions []int32
	for i := range p {
		rows, actions = append(rows, int32(i/w.k)), append(actions, int32(i%w.k))
		p[i] /= float64(w.s)
	}
	return newRegion(t, logits, logits, w.k, rows, actions, p, adv)
}

// optimum is the best expected reward.
func (w world) optimum() float64 {
	sum := 0.0
	for i := range w.s {
		best := math.Inf(-1)
		for _, r := range w.reward[i*w.k : (i+1)*w.k] {
			best = math.Max(best, r)
		}
		sum += best / float64(w.s)
	}
	return sum
}

// roundingTol is for sums of fifteen numbers of order 1.
const roundingTol = 1e-12

// The check of card P5: 3 states × 5 actions, exact expectations. The KL never exceeds
// δ, the expected reward never falls and reaches the optimum.
func TestTRPOClimbsWithinItsRegion(t *testing.T) {
	for seed := range seeds() {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(seed, 3, 5)
			logits := make([]float64, 15)
			best, _, _ := w.value(logits)
			worst, largest := 0.0, 0.0
			for range 200 {
				r := w.region(t, logits)
				step, err := rlhf.TRPO{}.Step(r)
				require.NoError(t, err)
				logits = r.Parameters()
				j, _, _ := w.value(logits)
				worst, largest = math.Min(worst, j-best), math.Max(largest, step.KL)
				best = j
			}
			assert.LessOrEqual(t, largest, 0.01)
			assert.Greater(t, largest, 0.009, "steps use their room")
			assert.GreaterOrEqual(t, worst, -roundingTol, "a step lowered the expected reward")
			assert.InDelta(t, w.optimum(), best, 0.01)
		})
	}
}

// The check of card P5: products with the Fisher matrix are differences of ∇KL; here
// against the matrix itself, by way of the natural gradient, which for a table of logits
// is the advantage up to a shift in each state (card E5).
func TestNaturalGradientIsTheAdvantage(t *testing.T) {
	w := newWorld(9, 3, 5)
	rng := rand.New(rand.NewPCG(9, 9))
	logits := make([]float64, 15)
	for i := range logits {
		logits[i] = rng.NormFloat64()
	}
	_, _, adv := w.value(logits)
	x, err := rlhf.TRPO{Damping: -1, Iterations: 40}.NaturalGradient(w.region(t, logits))
	require.NoError(t, err)
	for i := range w.s {
		shift := x[i*w.k] - adv[i*w.k]
		for a := range w.k {
			assert.InDelta(t, adv[i*w.k+a]+shift, x[i*w.k+a], 1e-5, "state %d, action %d", i, a)
		}
	}
}

// A policy without anything to gain stays where it is, and so does one whose surrogate
// cannot improve.
func TestTRPOStaysWithoutGain(t *testing.T) {
	w := world{s: 1, k: 3, reward: []float64{0, 0, 0}}
	r := w.region(t, []float64{0.1, 0.2, 0.3})
	step, err := rlhf.TRPO{}.Step(r)
	require.NoError(t, err)
	assert.Equal(t, rlhf.TRPOStep{}, step)
	assert.Equal(t, []float64{0.1, 0.2, 0.3}, r.Parameters())
	_, err = rlhf.TRPO{MaxKL: -1, Backtrack: 1}.Step(r)
	require.ErrorContains(t, err, "MaxKL")
	require.ErrorContains(t, err, "Backtrack is 1")
}

func softmax(x []float64) []float64 {
	most, sum := math.Inf(-1), 0.0
	for _, v := range x {
		most = math.Max(most, v)
	}
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = math.Exp(v - most)
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

func dotProduct(x, y []float64) float64 {
	sum := 0.0
	for i := range x {
		sum += x[i] * y[i]
	}
	return sum
}
