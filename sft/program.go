package sft

import (
	"fmt"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
)

// program is the compiled loss of one packed micro-batch, with the gradients of
// the trainable parameters or without.
type program struct {
	run    *tensor.Program
	double bool // computes in float64

	tokens, positions, ends, prefix *tensor.Node
	rows, targets, weights, seed    *tensor.Node

	loss            *tensor.Node // (1) Σ weight·loss
	nll             *tensor.Node // (1) Σ weight·(−log p), for perplexities
	entropy, argMax *tensor.Node // (M)
	balance         *tensor.Node // (1) of mixtures of experts; nil where it does not count

	prompted *model.Prompted // puts the policy's virtual tokens before batches

	weights64 []float64
	seed32    [1]float32
	seed64    [1]float64
}

// shape is the capacity of a program.
type shape struct{ tokens, segments int }

// neftuneSalt keys NEFTune's noise apart from the dropout of adapters.
const neftuneSalt = 0x6e656674

// compile builds and compiles the program. Without params it computes the loss
// only, as evaluation needs it: no dropout, no noise.
func compile(p Policy, o Options, size shape, params []*tensor.Param, arena *tensor.Arena) (*program, error) {
	g, pr, co, err := describe(p, o, size, params)
	if err != nil {
		return nil, err
	}
	co.Arena = arena
	pr.run, err = tensor.Compile(g, pr.outputs(), co)
	return pr, err
}

// plan is the memory plan of what compile would make.
func plan(p Policy, o Options, size shape, params []*tensor.Param) (tensor.Plan, error) {
	g, pr, co, err := describe(p, o, size, params)
	if err != nil {
		return tensor.Plan{}, err
	}
	return tensor.DryPlan(g, pr.outputs(), co)
}

func (pr *program) outputs() tensor.Nodes {
	outs := tensor.Nodes{pr.loss, pr.nll, pr.entropy, pr.argMax}
	if pr.balance != nil {
		outs = append(outs, pr.balance)
	}
	return outs
}

// describe builds the graph.
func describe(p Policy, o Options, size shape, params []*tensor.Param) (*tensor.Graph, *program, tensor.CompileOptions, error) {
	virtual := model.VirtualTokens(p.Model, p.AdapterName())
	pr := &program{double: p.Model.Head().Dtype() == tensor.Float64, prompted: model.NewPrompted(p.Model, virtual)}
	co := tensor.CompileOptions{Device: o.Device, Debug: o.Debug}
	g, err := tensor.Build(func(g *tensor.Graph) {
		pr.declare(g, size, virtual)
		in := &model.Inputs{Tokens: pr.tokens, Positions: pr.positions, Ends: pr.ends, Prefix: pr.prefix, Training: params != nil, Adapter: p.AdapterName()}
		if params != nil && o.NEFTuneAlpha > 0 {
			in.OnEmbedding = func(x *tensor.Node) *tensor.Node { return tensor.Noise(x, o.NEFTuneAlpha, pr.ends, neftuneSalt) }
		}
		if params != nil && o.Recompute {
			in.OnLayer = func(x *tensor.Node) { co.Checkpoints = append(co.Checkpoints, x) }
		}
		var chosen, probs tensor.Nodes
		if params != nil && o.RouterBalance > 0 {
			in.OnRoute = func(numbers, all *tensor.Node) { chosen, probs = append(chosen, numbers), append(probs, all) }
		}
		h := p.Model.Hidden(g, in)
		lp := model.Distribution(p.Model, in, h).LogProbs(pr.rows, pr.targets)
		each := o.Loss.Build(Tokens{LogProbs: lp, Hidden: h, Rows: pr.rows, Targets: pr.targets, Vocab: p.Model.Config().VocabSize})
		if each == nil || !each.Shape().Eq(lp.LogProb.Shape()) {
			tensor.Fail("sft: loss %s: got %v, want one number a target, the shape of Tokens.LogProb", o.Loss.Name(), each)
		}
		pr.loss, pr.nll = tensor.MaskedSum(each, pr.weights), tensor.MaskedSum(tensor.Neg(lp.LogProb), pr.weights)
		pr.entropy, pr.argMax = lp.Entropy, lp.ArgMax
		pr.addBalance(chosen, probs, o.RouterBalance)
		co.Accumulate = policy.Gradients(g, pr.loss, pr.seed, params)
	})
	co.Axes = []tensor.Axis{
		{Name: axisTokens, Inputs: tensor.Nodes{pr.tokens, pr.positions}},
		{Name: axisSegments, Inputs: tensor.Nodes{pr.ends, pr.prefix}},
		{Name: axisTargets, Inputs: tensor.Nodes{pr.rows, pr.targets, pr.weights}},
	}
	return g, pr, co, err
}

// addBalance adds the load balance of mixtures of experts to the loss: as often as the
// targets weigh, because the loop divides by that.
func (pr *program) addBalance(chosen, probs tensor.Nodes, coefficient float64) {
	if len(chosen) == 0 {
		return
	}
	pr.balance = tensor.LoadBalance(chosen, probs)
	pr.loss = tensor.Add(pr.loss, tensor.Scale(tensor.Mul(tensor.Sum(pr.weights), pr.balance), coefficient))
}

// Names of the program's dynamic axes.
const (
	axisTokens   = "tokens"
	axisSegments = "segments"
	axisTargets  = "targets"
)

// declare adds the inputs to the graph, with room for virtual tokens.
func (pr *program) declare(g *tensor.Graph, size shape, virtual int) {
	targets := size.tokens
	if virtual > 0 {
		size.tokens, size.segments = size.tokens+virtual, size.segments+1
	}
	float := tensor.Float32
	if pr.double {
		float = tensor.Float64
	}
	pr.tokens = tensor.Input(g, tensor.Int32, "batch.tokens", size.tokens)
	pr.positions = tensor.Input(g, tensor.Int32, "batch.positions", size.tokens)
	pr.ends = tensor.Input(g, tensor.Int32, "batch.ends", size.segments)
	pr.prefix = tensor.Input(g, tensor.Int32, "batch.prefix", size.segments)
	pr.rows = tensor.Input(g, tensor.Int32, "batch.rows", targets)
	pr.targets = tensor.Input(g, tensor.Int32, "batch.targets", targets)
	pr.weights = tensor.Input(g, float, "batch.weights", targets)
	pr.seed = tensor.Input(g, float, "batch.seed", 1)
}

// compute runs the program on a micro-batch; the gradients are those of
// seed·Σ weight·loss. It returns that sum without the seed.
func (pr *program) compute(b *data.Packed, seed float64) (float64, error) {
	if err := pr.bind(b, seed); err != nil {
		return 0, err
	}
	if err := pr.run.Run(); err != nil {
		return 0, err
	}
	return scalar(pr, pr.loss)
}

// scalar reads an output of one element.
func scalar(pr *program, n *tensor.Node) (float64, error) {
	if pr.double {
		v, err := tensor.Values[float64](pr.run, n)
		if err != nil {
			return 0, err
		}
		return v[0], nil
	}
	v, err := tensor.Values[float32](pr.run, n)
	if err != nil {
		return 0, err
	}
	return float64(v[0]), nil
}

// bind points the inputs at the micro-batch.
func (pr *program) bind(b *data.Packed, seed float64) error {
	batch, rows := pr.prompted.Prepend(b.Batch, b.Rows)
	for _, a := range [...]struct {
		name string
		n    int
	}{{axisTokens, len(batch.Tokens)}, {axisSegments, len(batch.Ends)}, {axisTargets, len(rows)}} {
		if got := pr.run.Capacity(a.name); a.n > got {
			return fmt.Errorf("sft: micro-batch has %d %s, want at most %d (Options.MicroTokens and MaxSegments)", a.n, a.name, got)
		}
		if err := pr.run.SetLive(a.name, a.n); err != nil {
			return err
		}
	}
	for _, in := range [...]struct {
		n *tensor.Node
		v []int32
	}{{pr.tokens, batch.Tokens}, {pr.positions, batch.Positions}, {pr.ends, batch.Ends}, {pr.prefix, batch.Prefix}, {pr.rows, rows}, {pr.targets, b.Targets}} {
		if err := tensor.Bind(pr.run, in.n, in.v); err != nil {
			return err
		}
	}
	if !pr.double {
		pr.seed32[0] = float32(seed)
		if err := tensor.Bind(pr.run, pr.weights, b.Weights); err != nil {
			return err
		}
		return tensor.Bind(pr.run, pr.seed, pr.seed32[:])
	}
	pr.weights64 = pr.weights64[:0]
	for _, w := range b.Weights {
		pr.weights64 = append(pr.weights64, float64(w))
	}
	pr.seed64[0] = seed
	if err := tensor.Bind(pr.run, pr.weights, pr.weights64); err != nil {
		return err
	}
	return tensor.Bind(pr.run, pr.seed, pr.seed64[:])
}

// statistics are Σ weight·entropy and Σ weight·[arg max = target] of the last
// run.
func (pr *program) statistics(b *data.Packed) (entropy, hits float64, err error) {
	best, err := tensor.Values[int32](pr.run, pr.argMax)
	if err != nil {
		return 0, 0, err
	}
	for i, id := range best {
		if id == b.Targets[i] {
			hits += float64(b.Weights[i])
		}
	}
	if pr.double {
		h, err := tensor.Values[float64](pr.run, pr.entropy)
		return weighted(h, b.Weights), hits, err
	}
	h, err := tensor.Values[float32](pr.run, pr.entropy)
	return weighted(h, b.Weights), hits, err
}

func weighted[T tensor.Float](x []T, w []float32) float64 {
	sum := 0.0
	for i, v := range x {
		sum += float64(w[i]) * float64(v)
	}
	return sum
}
