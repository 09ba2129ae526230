package rlhf_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/tensor"
)

// table is a policy of explicit logits, one row of V for each state, and a program that
// computes the gradient of an objective over a fixed number of rows and tokens.
type table struct {
	t           *testing.T
	logits      *tensor.Param
	shared      *tensor.Param // features of states (S, D); logits are then weights (V, D)
	s, v        int
	rows, width int
	o           rlhf.Objective
	run         *tensor.Program
	nodes       map[string]*tensor.Node
	loss        *tensor.Node
}

// rowsOf are R rows of T tokens: states and actions of each, and what a loss asks for
// beside them. Nil slices get their neutral values.
type rowsOf struct {
	states, actions           []int32
	advantage                 []float64 // one a token
	mask, weight, taught, old []float64
	ref                       []float64
}

// features says what of rowsOf an objective's program is built with.
type features struct{ old, ref, weight, taught, groups bool }

func newTable(t *testing.T, s, v int, start []float64) *table {
	t.Helper()
	p, err := tensor.NewParam("logits", append([]float64(nil), start...), s, v)
	require.NoError(t, err)
	require.NoError(t, p.SetTrainable(true))
	return &table{t: t, logits: p, s: s, v: v}
}

// newShared is a policy of logits = W·features, so that states share what they learn.
func newShared(t *testing.T, features []float64, s, d, v int, start []float64) *table {
	t.Helper()
	p := newTable(t, v, d, start)
	var err error
	p.shared, err = tensor.NewParam("features", features, s, d)
	require.NoError(t, err)
	p.s, p.v = s, v
	return p
}

// uses compiles an objective for rows of one width.
func (p *table) uses(o rlhf.Objective, rows, width int, f features) *table {
	t := p.t
	t.Helper()
	p.o, p.rows, p.width, p.nodes = o, rows, width, map[string]*tensor.Node{}
	m := rows * width
	hidden := p.logits
	head, err := tensor.NewParam("eye", identity(p.v), p.v, p.v)
	require.NoError(t, err)
	if p.shared != nil {
		hidden, head = p.shared, p.logits
	}
	var acc []tensor.Accumulation
	g, err := tensor.Build(func(g *tensor.Graph) {
		float := func(name string, n int, on bool) *tensor.Node {
			if !on {
				return nil
			}
			p.nodes[name] = tensor.Input(g, tensor.Float64, name, n)
			return p.nodes[name]
		}
		integer := func(name string, n int, on bool) *tensor.Node {
			if !on {
				return nil
			}
			p.nodes[name] = tensor.Input(g, tensor.Int32, name, n)
			return p.nodes[name]
		}
		scored := tensor.TokenLogProb(hidden.Node(g), head.Node(g), integer("states", m, true), integer("actions", m, true), tensor.LogProbOptions{})
		in := rlhf.Tokens{
			LogProb: scored.LogProb, Old: float("old", m, f.old), Ref: float("ref", m, f.ref), Advantage: float("advantage", m, true),
			Mask: float("mask", m, true), Weight: float("weight", m, f.weight), Taught: float("taught", m, f.taught),
			Ends: integer("ends", rows, true), Row: integer("row", m, true), Lengths: float("lengths", rows, true),
			Group: integer("group", rows, f.groups), GroupEnds: integer("group_ends", 1, f.groups),
		}
		if o.Entropy != 0 {
			in.Entropy = scored.Entropy
		}
		out := o.Build(g, in)
		p.loss = out.Loss
		for _, part := range tensor.Gradients(tensor.Nodes{tensor.Sum(out.Loss)}, tensor.Nodes{float("seed", 1, true)}, tensor.Nodes{p.logits.Node(g)})[0] {
			acc = append(acc, tensor.Accumulation{Grad: part, Into: p.logits})
		}
	})
	require.NoError(t, err)
	p.run, err = tensor.Compile(g, tensor.Nodes{p.loss}, tensor.CompileOptions{Accumulate: acc})
	require.NoError(t, err)
	return p
}

// gradient is that of Σ loss of rows / denominator by the logits.
func (p *table) gradient(b rowsOf, denominator float64) []float64 {
	t := p.t
	m := p.rows * p.width
	if b.mask == nil {
		b.mask = filled(m, 1)
	}
	lengths, ends, row := make([]float64, p.rows), make([]int32, p.rows), make([]int32, m)
	for i := range m {
		row[i] = int32(i / p.width)
		lengths[row[i]] += b.mask[i]
	}
	for i := range lengths {
		lengths[i], ends[i] = math.Max(1, lengths[i]), int32((i+1)*p.width)
	}
	for name, v := range map[string][]float64{
		"old": b.old, "ref": b.ref, "advantage": b.advantage, "mask": b.mask, "weight": b.weight, "taught": b.taught, "lengths": lengths, "seed": {1 / denominator},
	} {
		if n := p.nodes[name]; n != nil {
			require.NoError(t, tensor.Bind(p.run, n, v), name)
		}
	}
	for name, v := range map[string][]int32{"states": b.states, "actions": b.actions, "ends": ends, "row": row, "group": make([]int32, p.rows), "group_ends": {int32(p.rows)}} {
		if n := p.nodes[name]; n != nil {
			require.NoError(t, tensor.Bind(p.run, n, v), name)
		}
	}
	p.logits.ZeroGrad()
	require.NoError(t, p.run.Run())
	return append([]float64(nil), p.logits.Grad64()...)
}

// descend takes a step of gradient descent.
func (p *table) descend(b rowsOf, denominator, rate float64) {
	for i, g := range p.gradient(b, denominator) {
		p.logits.Data64()[i] -= rate * g
	}
	p.logits.Changed()
}

// policy is the probabilities of a state's actions.
func (p *table) policy(state int32) []float64 {
	if p.shared != nil {
		d := p.shared.Shape()[1]
		out, h := make([]float64, p.v), p.shared.Data64()[int(state)*d:(int(state)+1)*d]
		for a := range out {
			out[a] = dotProduct(h, p.logits.Data64()[a*d:(a+1)*d])
		}
		return softmax(out)
	}
	return softmax(p.logits.Data64()[int(state)*p.v : (int(state)+1)*p.v])
}

// logProb is log π of each action in its state.
func (p *table) logProb(states, actions []int32) []float64 {
	out := make([]float64, len(states))
	for i := range out {
		out[i] = math.Log(p.policy(states[i])[actions[i]])
	}
	return out
}

// draw samples an action.
func draw(rng *rand.Rand, probs []float64) int32 {
	u := rng.Float64()
	for a, q := range probs {
		if u -= q; u < 0 {
			return int32(a)
		}
	}
	return int32(len(probs) - 1)
}

// greedy is the most likely action.
func greedy(probs []float64) int32 {
	best := 0
	for a, q := range probs {
		if q > probs[best] {
			best = a
		}
	}
	return int32(best)
}

func filled(n int, v float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = v
	}
	return out
}

// normal is n logits of a normal distribution.
func normal(rng *rand.Rand, n int, deviation float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = deviation * rng.NormFloat64()
	}
	return out
}

// divergence is KL(p‖q).
func divergence(p, q []float64) float64 {
	sum := 0.0
	for i := range p {
		if p[i] > 0 {
			sum += p[i] * math.Log(p[i]/q[i])
		}
	}
	return sum
}

// seeds is how many seeds a learning curve is checked over; one in short tests.
func seeds() uint64 {
	if testing.Short() {
		return 1
	}
	return 5
}
