package dpo

import (
	"slices"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
)

// program is the compiled loss of one micro-batch, with the gradients of the
// trainable parameters or without.
type program struct {
	run *tensor.Program
	texts
	targetEnds, chosen, rejected *tensor.Node

	seed, reference, tail, meanChosen, chosenTokens, rejectedTokens number

	loss    *tensor.Node    // (1) Σ weight·loss
	pairs   [4]*tensor.Node // (B) log-ratios and log-probabilities of chosen and rejected
	logits  *tensor.Node    // (M) mean logit
	entropy *tensor.Node    // (M)
	argMax  *tensor.Node    // (M)
	extra   []Metric        // of the loss

	beta   float64
	alpha  float64 // weight of tokens past the shorter answer
	values []float64
}

// compile builds and compiles the program.
func compile(p Policy, o Options, s size, params []*tensor.Param, arena *tensor.Arena) (*program, error) {
	g, pr, co, err := describe(p, o, s, params)
	if err != nil {
		return nil, err
	}
	co.Arena = arena
	pr.run, err = tensor.Compile(g, pr.outputs(), co)
	return pr, err
}

// plan is the memory plan of what compile would make.
func plan(p Policy, o Options, s size, params []*tensor.Param) (tensor.Plan, error) {
	g, pr, co, err := describe(p, o, s, params)
	if err != nil {
		return tensor.Plan{}, err
	}
	return tensor.DryPlan(g, pr.outputs(), co)
}

func (pr *program) outputs() tensor.Nodes {
	outs := append(tensor.Nodes{pr.loss, pr.logits, pr.entropy, pr.argMax}, pr.pairs[:]...)
	for _, m := range pr.extra {
		if !slices.Contains(outs, m.Value) {
			outs = append(outs, m.Value)
		}
	}
	return outs
}

// describe builds the graph.
func describe(p Policy, o Options, s size, params []*tensor.Param) (*tensor.Graph, *program, tensor.CompileOptions, error) {
	pr := &program{beta: o.beta(), alpha: o.tailWeight()}
	co := tensor.CompileOptions{Device: o.Device, Debug: o.Debug}
	g, err := tensor.Build(func(g *tensor.Graph) {
		at := pr.declare(g, s, precision(p.Model))
		in := pr.inputs(p.AdapterName())
		if params != nil && o.Recompute {
			in.OnLayer = func(x *tensor.Node) { co.Checkpoints = append(co.Checkpoints, x) }
		}
		lp := model.Distribution(p.Model, in, p.Model.Hidden(g, in)).LogProbs(pr.rows, pr.targets)
		at.logProb, at.logSumSquares = lp.LogProb, tensor.Log(lp.SumSquares)
		sums := at.logProbs(o.beta(), o.Divergence)
		terms := o.Loss.Build(g, sums)
		if terms.Loss == nil || !terms.Loss.Shape().Eq(sums.Chosen.Shape()) {
			tensor.Fail("dpo: loss %s: got %v, want one number a pair, the shape of LogProbs.Chosen", o.Loss.Name(), terms.Loss)
		}
		pr.loss = tensor.Sum(terms.weighted())
		pr.pairs = [4]*tensor.Node{sums.ChosenRatio, sums.RejectedRatio, sums.Chosen, sums.Rejected}
		pr.logits, pr.entropy, pr.argMax, pr.extra = lp.MeanLogit, lp.Entropy, lp.ArgMax, terms.Metrics
		co.Accumulate = pr.gradients(g, params)
	})
	co.Axes = append(pr.axes(tensor.Nodes{pr.targetEnds}, tensor.Nodes{pr.reference.node, pr.tail.node}),
		tensor.Axis{Name: axisPairs, Inputs: tensor.Nodes{pr.chosen, pr.rejected, pr.chosenTokens.node, pr.rejectedTokens.node}})
	return g, pr, co, err
}

// precision is what the model computes in.
func precision(m model.Model) tensor.Dtype {
	if m.Head().Dtype() == tensor.Float64 {
		return tensor.Float64
	}
	return tensor.Float32
}

// declare adds the inputs to the graph.
func (pr *program) declare(g *tensor.Graph, s size, dt tensor.Dtype) tokens {
	pr.texts.declare(g, s)
	pr.targetEnds = tensor.Input(g, tensor.Int32, "batch.target_ends", s.segments())
	pr.chosen = tensor.Input(g, tensor.Int32, "batch.chosen", s.pairs)
	pr.rejected = tensor.Input(g, tensor.Int32, "batch.rejected", s.pairs)
	pr.seed.declare(g, dt, "batch.seed", 1)
	return tokens{
		ends: pr.targetEnds, chosen: pr.chosen, rejected: pr.rejected,
		reference:      pr.reference.declare(g, dt, "batch.reference", s.targets()),
		tail:           pr.tail.declare(g, dt, "batch.tail", s.targets()),
		meanChosen:     pr.meanChosen.declare(g, dt, "batch.mean_chosen", 1),
		chosenTokens:   pr.chosenTokens.declare(g, dt, "batch.chosen_tokens", s.pairs),
		rejectedTokens: pr.rejectedTokens.declare(g, dt, "batch.rejected_tokens", s.pairs),
	}
}

// gradients adds the reverse pass.
func (pr *program) gradients(g *tensor.Graph, params []*tensor.Param) []tensor.Accumulation {
	if len(params) == 0 {
		return nil
	}
	wrt := make(tensor.Nodes, len(params))
	for i, p := range params {
		wrt[i] = p.Node(g)
	}
	var acc []tensor.Accumulation
	for i, parts := range tensor.Gradients(tensor.Nodes{pr.loss}, tensor.Nodes{pr.seed.node}, wrt) {
		if len(parts) == 0 {
			tensor.Fail("dpo: the loss does not depend on parameter %s", params[i].Name())
		}
		for _, part := range parts {
			acc = append(acc, tensor.Accumulation{Grad: part, Into: params[i]})
		}
	}
	return acc
}

// given are the numbers of a micro-batch that come from outside of it.
type given struct {
	reference  []float64 // (M) log π₀ of each target
	meanChosen float64   // tokens
	seed       float64
}

// compute runs the program on a micro-batch; the gradients are those of
// seed·Σ loss. It returns that sum without the seed.
func (pr *program) compute(b *Batch, in given) (float64, error) {
	if err := pr.bindAll(b, in); err != nil {
		return 0, err
	}
	if err := pr.run.Run(); err != nil {
		return 0, err
	}
	var err error
	pr.values, err = appendValues(pr.values[:0], pr.run, pr.loss)
	if err != nil {
		return 0, err
	}
	return pr.values[0], nil
}

func (pr *program) bindAll(b *Batch, in given) error {
	if err := setLive(pr.run, axisPairs, len(b.Chosen)); err != nil {
		return err
	}
	if err := pr.bind(pr.run, b); err != nil {
		return err
	}
	for _, x := range [...]struct {
		n *tensor.Node
		v []int32
	}{{pr.targetEnds, b.TargetEnds}, {pr.chosen, b.Chosen}, {pr.rejected, b.Rejected}} {
		if err := tensor.Bind(pr.run, x.n, x.v); err != nil {
			return err
		}
	}
	if err := pr.seed.bind(pr.run, in.seed); err != nil {
		return err
	}
	if err := pr.meanChosen.bind(pr.run, max(1, in.meanChosen)); err != nil {
		return err
	}
	if err := pr.reference.bind(pr.run, in.reference...); err != nil {
		return err
	}
	pr.values = appendTail(pr.values[:0], b.TargetEnds, b.Chosen, b.Rejected, pr.alpha)
	if err := pr.tail.bind(pr.run, pr.values...); err != nil {
		return err
	}
	pr.values = appendLengths(pr.values[:0], b.TargetEnds, b.Chosen)
	if err := pr.chosenTokens.bind(pr.run, pr.values...); err != nil {
		return err
	}
	pr.values = appendLengths(pr.values[:0], b.TargetEnds, b.Rejected)
	return pr.rejectedTokens.bind(pr.run, pr.values...)
}

// appendLengths appends the number of tokens of each segment, at least 1.
func appendLengths(dst []float64, ends, segments []int32) []float64 {
	for _, s := range segments {
		dst = append(dst, float64(max(1, segmentLen(ends, s))))
	}
	return dst
}
