package rlhf_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/advantage"
	"github.com/posttrain/posttrain/tensor"
)

// tree is TB3 of the method cards: vocabulary 3, depth 4, 81 leaves, a fifth of them
// rewarded. State s has the children 3s+1 … 3s+3; leaves start at 40.
const (
	branch = 3
	depth  = 4
	inner  = 40
	leaves = 81
)

// plant is the rewards of the leaves.
func plant(seed uint64) []float64 {
	out := make([]float64, leaves)
	for _, i := range rand.New(rand.NewPCG(seed, 6)).Perm(leaves)[:leaves/5] {
		out[i] = 1
	}
	return out
}

// path is the states and actions that lead to a leaf.
func path(leaf int) (states, actions []int32) {
	s, digits := int32(0), [depth]int32{}
	for i := depth - 1; i >= 0; i-- {
		digits[i], leaf = int32(leaf%branch), leaf/branch
	}
	for _, a := range digits {
		states, actions = append(states, s), append(actions, a)
		s = branch*s + 1 + a
	}
	return states, actions
}

// walk samples a leaf.
func walk(rng *rand.Rand, p *table) (states, actions []int32, leaf int) {
	s := int32(0)
	for range depth {
		a := draw(rng, p.policy(s))
		states, actions, s = append(states, s), append(actions, a), branch*s+1+a
	}
	return states, actions, int(s) - inner
}

// values are V^π of the inner states, by recursion.
func values(p *table, reward []float64) []float64 {
	v := make([]float64, inner)
	for s := inner - 1; s >= 0; s-- {
		for a, q := range p.policy(int32(s)) {
			child := branch*s + 1 + a
			if child >= inner {
				v[s] += q * reward[child-inner]
			} else {
				v[s] += q * v[child]
			}
		}
	}
	return v
}

// everyLeaf is all leaves as rows, each weighing its probability.
func everyLeaf(p *table, reward []float64) rowsOf {
	var b rowsOf
	for leaf, r := range reward {
		s, a := path(leaf)
		logProb := p.logProb(s, a)
		q := math.Exp(logProb[0] + logProb[1] + logProb[2] + logProb[3])
		b.states, b.actions = append(b.states, s...), append(b.actions, a...)
		b.advantage = append(b.advantage, filled(depth, q*r)...)
	}
	return b
}

// The check of card B2: the exact policy gradient by enumeration equals the mean over
// samples within three standard errors (of the whole gradient's length).
func TestPolicyGradientOnTheTree(t *testing.T) {
	reward := plant(1)
	rng := rand.New(rand.NewPCG(1, 7))
	start := normal(rng, inner*branch, 1)
	exact := newTable(t, inner, branch, start).uses(rlhf.Objective{Policy: rlhf.REINFORCE{}}, leaves, depth, features{})
	want := exact.gradient(everyLeaf(exact, reward), 1)
	const batch, batches = 64, 200
	p := newTable(t, inner, branch, start).uses(rlhf.Objective{Policy: rlhf.REINFORCE{}}, batch, depth, features{})
	sum, squares := make([]float64, len(want)), make([]float64, len(want))
	for range batches {
		var b rowsOf
		for range batch {
			s, a, leaf := walk(rng, p)
			b.states, b.actions, b.advantage = append(b.states, s...), append(b.actions, a...), append(b.advantage, filled(depth, reward[leaf])...)
		}
		for i, g := range p.gradient(b, batch) {
			sum[i], squares[i] = sum[i]+g, squares[i]+g*g
		}
	}
	var distance, variance float64
	for i := range want {
		mean := sum[i] / batches
		distance += (mean - want[i]) * (mean - want[i])
		variance += (squares[i]/batches - mean*mean) / batches
	}
	assert.Less(t, math.Sqrt(distance), 3*math.Sqrt(variance))
	assert.Greater(t, math.Sqrt(dotProduct(want, want)), 10*math.Sqrt(variance), "there is something to estimate")
}

// The checks of card E4: autodiff against −α·Σ Q(A − E_Q A)·∇log P, and with all answers and
// α = 1 the exact policy gradient.
func TestMinimumRiskGradient(t *testing.T) {
	reward := plant(2)
	start := normal(rand.New(rand.NewPCG(2, 8)), inner*branch, 1)
	all := newTable(t, inner, branch, start)
	b := everyLeaf(all, reward)
	for leaf, r := range reward {
		copy(b.advantage[leaf*depth:], filled(depth, r))
	}
	got := all.uses(rlhf.Objective{Policy: rlhf.MRT{Alpha: 1}}, leaves, depth, features{groups: true}).gradient(b, leaves)
	exact := newTable(t, inner, branch, start).uses(rlhf.Objective{Policy: rlhf.REINFORCE{}}, leaves, depth, features{})
	near(t, exact.gradient(everyLeaf(exact, reward), 1), got, loss64Tol, "α = 1 over everything")

	const alpha, n = 0.3, 7
	some := rowsOf{states: b.states[:n*depth], actions: b.actions[:n*depth]}
	rng := rand.New(rand.NewPCG(3, 8))
	var risk, q []float64
	for i := range n {
		risk = append(risk, rng.NormFloat64())
		some.advantage = append(some.advantage, filled(depth, risk[i])...)
		lp := all.logProb(some.states[i*depth:(i+1)*depth], some.actions[i*depth:(i+1)*depth])
		q = append(q, alpha*(lp[0]+lp[1]+lp[2]+lp[3]))
	}
	q = softmax(q)
	mean := dotProduct(q, risk)
	got = newTable(t, inner, branch, start).uses(rlhf.Objective{Policy: rlhf.MRT{Alpha: alpha}}, n, depth, features{groups: true}).gradient(some, n)
	closed := some
	closed.advantage = nil
	for i := range n {
		closed.advantage = append(closed.advantage, filled(depth, alpha*q[i]*(risk[i]-mean))...)
	}
	want := newTable(t, inner, branch, start).uses(rlhf.Objective{Policy: rlhf.REINFORCE{}}, n, depth, features{}).gradient(closed, 1)
	near(t, want, got, loss64Tol, "closed form")
}

// learnTree trains for some batches of 64 walks, three updates on each, and returns the
// expected reward.
func learnTree(t *testing.T, seed uint64, l rlhf.Loss, steps int, rate float64) float64 {
	const batch = 64
	reward := plant(seed)
	rng := rand.New(rand.NewPCG(seed, 9))
	p := newTable(t, inner, branch, make([]float64, inner*branch)).uses(rlhf.Objective{Policy: l}, batch, depth, features{old: true})
	for range steps {
		var b rowsOf
		var r []float64
		for range batch {
			s, a, leaf := walk(rng, p)
			b.states, b.actions, r = append(b.states, s...), append(b.actions, a...), append(r, reward[leaf])
		}
		for _, a := range advantage.Group(r, make([]int, batch), advantage.GroupOptions{}).Advantages {
			b.advantage = append(b.advantage, filled(depth, a)...)
		}
		denominator := float64(batch)
		if l.Average().Denominator() == rlhf.OverTokens {
			denominator = batch * depth
		}
		b.old = p.logProb(b.states, b.actions)
		for range 3 {
			p.descend(b, denominator, rate)
		}
	}
	return values(p, reward)[0]
}

// Learning curves on the tree over five seeds: from a fifth of the leaves every loss with
// the usual normalisation finds rewarded ones.
func TestLossesLearnTheTree(t *testing.T) {
	wide := rlhf.Clip{Low: 0.1} // GSPO's own range lets one update through at these rates
	for _, l := range []rlhf.Loss{rlhf.GRPO{}, rlhf.PPO{}, rlhf.DAPO{}, rlhf.GSPO{Clip: wide}, rlhf.CISPO{}, rlhf.SAPO{}, rlhf.VESPO{}, rlhf.GMPO{}, rlhf.GPG{}, rlhf.REINFORCE{}, rlhf.RLOO{}, rlhf.DrGRPO{Length: depth}, rlhf.LUSPO{Clip: wide}, rlhf.TOPR{}} {
		t.Run(l.Name(), func(t *testing.T) {
			least := 1.0
			rate := 2.0
			if over := l.Average().Over; over == rlhf.SumOfRows || l.Name() == "rloo" {
				rate = 0.5 // these sum the four tokens that others average
			}
			for seed := range seeds() {
				least = math.Min(least, learnTree(t, seed, l, 50, rate))
			}
			t.Logf("least expected reward over seeds: %.3f", least)
			assert.Greater(t, least, 0.95)
		})
	}
}

// The checks of card E5 over five seeds: a critic fitted to sampled returns comes within
// 0.02 of V^π where the policy goes, and the actor's gradient with its advantages varies less than
// REINFORCE's.
func TestCriticFitsAndCutsVariance(t *testing.T) {
	for seed := range seeds() {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			reward := plant(seed)
			rng := rand.New(rand.NewPCG(seed, 10))
			p := newTable(t, inner, branch, normal(rng, inner*branch, 0.5)).uses(rlhf.Objective{Policy: rlhf.A2C{}}, 1, depth, features{})
			exact := values(p, reward)
			fitted := fitCritic(t, rng, p, reward)
			var worst, weight float64
			visits := occupancy(p)
			for s := range inner {
				worst += visits[s] * (fitted[s] - exact[s]) * (fitted[s] - exact[s])
				weight += visits[s]
			}
			rmse := math.Sqrt(worst / weight)
			plain := gradientVariance(rng, p, reward, func(states []int32, r float64) []float64 { return filled(depth, r) })
			critic := gradientVariance(rng, p, reward, func(states []int32, r float64) []float64 {
				v := make([]float64, depth)
				for i, s := range states {
					v[i] = fitted[s]
				}
				a, _ := advantage.GAE([][]float64{{0, 0, 0, r}}, [][]float64{v}, [][]float64{{1, 1, 1, 1}}, 1, 0.95)
				return a[0]
			})
			t.Logf("RMSE of the critic %.4f; variance of the actor's gradient %.4f, of REINFORCE's %.4f", rmse, critic, plain)
			assert.Less(t, rmse, 0.02)
			assert.Less(t, critic, plain/1.3)
		})
	}
}

// occupancy is how often each inner state is visited in a walk.
func occupancy(p *table) []float64 {
	out := make([]float64, inner)
	out[0] = 1
	for s := range inner {
		for a, q := range p.policy(int32(s)) {
			if child := branch*s + 1 + a; child < inner {
				out[child] += out[s] * q
			}
		}
	}
	return out
}

// gradientVariance is that of one walk's gradient, summed over logits.
func gradientVariance(rng *rand.Rand, p *table, reward []float64, advantages func(states []int32, r float64) []float64) float64 {
	const walks = 1500
	sum, squares := make([]float64, inner*branch), 0.0
	for range walks {
		s, a, leaf := walk(rng, p)
		for i, g := range p.gradient(rowsOf{states: s, actions: a, advantage: advantages(s, reward[leaf])}, 1) {
			sum[i] += g
			squares += g * g
		}
	}
	return squares/walks - dotProduct(sum, sum)/walks/walks
}

// fitCritic learns a table of values by the critic's loss, with falling steps.
func fitCritic(t *testing.T, rng *rand.Rand, p *table, reward []float64) []float64 {
	const batch, steps = 256, 400
	critic, err := tensor.NewParam("values", make([]float64, inner), inner)
	require.NoError(t, err)
	require.NoError(t, critic.SetTrainable(true))
	nodes := map[string]*tensor.Node{}
	var states, ends *tensor.Node
	var acc []tensor.Accumulation
	m := batch * depth
	g, err := tensor.Build(func(g *tensor.Graph) {
		for name, n := range map[string]int{"old": m, "return": m, "mask": m, "seed": 1} {
			nodes[name] = tensor.Input(g, tensor.Float64, name, n)
		}
		states, ends = tensor.Input(g, tensor.Int32, "states", m), tensor.Input(g, tensor.Int32, "ends", batch)
		v := tensor.Gather(critic.Node(g), states)
		out := rlhf.Value{Clip: math.Inf(1)}.Build(g, rlhf.ValueTokens{Value: v, Old: nodes["old"], Return: nodes["return"], Mask: nodes["mask"], Ends: ends})
		for _, part := range tensor.Gradients(tensor.Nodes{tensor.Sum(out.Loss)}, tensor.Nodes{nodes["seed"]}, tensor.Nodes{critic.Node(g)})[0] {
			acc = append(acc, tensor.Accumulation{Grad: part, Into: critic})
		}
	})
	require.NoError(t, err)
	run, err := tensor.Compile(g, nil, tensor.CompileOptions{Accumulate: acc})
	require.NoError(t, err)
	at, end := make([]int32, 0, m), make([]int32, batch)
	for i := range end {
		end[i] = int32((i + 1) * depth)
	}
	for name, v := range map[string][]float64{"old": make([]float64, m), "mask": filled(m, 1), "seed": {1}} {
		require.NoError(t, tensor.Bind(run, nodes[name], v))
	}
	require.NoError(t, tensor.Bind(run, ends, end))
	visits := make([]float64, inner)
	for range steps {
		var returns []float64
		at = at[:0]
		for range batch {
			s, _, leaf := walk(rng, p)
			at, returns = append(at, s...), append(returns, filled(depth, reward[leaf])...)
		}
		for _, s := range at {
			visits[s]++
		}
		require.NoError(t, tensor.Bind(run, states, at))
		require.NoError(t, tensor.Bind(run, nodes["return"], returns))
		critic.ZeroGrad()
		require.NoError(t, run.Run())
		for i, g := range critic.Grad64() {
			critic.Data64()[i] -= g / math.Max(1, visits[i]) // 1/visits makes it the mean return
		}
		critic.Changed()
	}
	return critic.Data64()
}
