package dpo

import (
	"slices"

	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
)

// program is the compiled loss of one micro-batch, with the gradients of the
// trainable parameters or without.
type program struct {
	run *tensor.Program
	policy.Texts
	targetEnds, chosen, rejected *tensor.Node

	seed, reference, tail, meanChosen, chosenTokens, rejectedTokens policy.Number

	prompt   *prompts // nil for losses that do not ask for it
	compared bool     // with a reference

	loss    *tensor.Node    // (1) Σ weight·loss
	pairs   [4]*tensor.Node // (B) rewards and log-probabilities of chosen and rejected
	ratios  [2]*tensor.Node // (B) log-ratios of chosen and rejected, with a reference
	logits  *tensor.Node    // (M) mean logit
	entropy *tensor.Node    // (M)
	argMax  *tensor.Node    // (M)
	extra   []Metric        // of the loss

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
	if pr.compared {
		outs = append(outs, pr.ratios[:]...)
	}
	for _, m := range pr.extra {
		outs = append(outs, m.Value)
	}
	seen := map[*tensor.Node]bool{}
	return slices.DeleteFunc(outs, func(n *tensor.Node) bool {
		again := seen[n]
		seen[n] = true
		return again
	})
}

// describe builds the graph.
func describe(p Policy, o Options, s size, params []*tensor.Param) (*tensor.Graph, *program, tensor.CompileOptions, error) {
	about := traits(o.Loss, o.beta())
	pr := &program{alpha: o.tailWeight(), compared: !about.ReferenceFree}
	if about.Prompt {
		pr.prompt = &prompts{}
	}
	co := tensor.CompileOptions{Device: o.Device, Debug: o.Debug}
	g, err := tensor.Build(func(g *tensor.Graph) {
		at := pr.declare(g, s, policy.Precision(p.Model))
		in := pr.Inputs(p.AdapterName())
		if params != nil && o.Recompute {
			in.OnLayer = func(x *tensor.Node) { co.Checkpoints = append(co.Checkpoints, x) }
		}
		d := model.Distribution(p.Model, in, p.Model.Hidden(g, in))
		lp := d.LogProbs(pr.Rows, pr.Targets)
		at.logProb, at.logSumSquares = lp.LogProb, tensor.Log(lp.SumSquares)
		if pr.prompt != nil {
			at.prompt = d.LogProbs(pr.prompt.rows, pr.prompt.targets).LogProb
		}
		sums := at.logProbs(o.beta(), o.Divergence)
		terms := o.Loss.Build(g, sums)
		if terms.Loss == nil || !terms.Loss.Shape().Eq(sums.Chosen.Shape()) {
			tensor.Fail("dpo: loss %s: got %v, want one number a pair, the shape of LogProbs.Chosen", o.Loss.Name(), terms.Loss)
		}
		pr.loss = tensor.Sum(terms.weighted())
		pr.pairs, pr.ratios = terms.logged(sums), [2]*tensor.Node{sums.ChosenRatio, sums.RejectedRatio}
		pr.logits, pr.entropy, pr.argMax, pr.extra = lp.MeanLogit, lp.Entropy, lp.ArgMax, terms.Metrics
		co.Accumulate = policy.Gradients(g, pr.loss, pr.seed.Node, params)
	})
	co.Axes = pr.axes()
	return g, pr, co, err
}

// declare adds the inputs to the graph.
func (pr *program) declare(g *tensor.Graph, s size, dt tensor.Dtype) tokens {
	pr.Declare(g, s.pass())
	pr.targetEnds = tensor.Input(g, tensor.Int32, "batch.target_ends", s.segments())
	pr.chosen = tensor.Input(g, tensor.Int32, "batch.chosen", s.pairs)
	pr.rejected = tensor.Input(g, tensor.Int32, "batch.rejected", s.pairs)
	pr.seed.Declare(g, dt, "batch.seed", 1)
	t := tokens{
		ends: pr.targetEnds, chosen: pr.chosen, rejected: pr.rejected,
		tail:           pr.tail.Declare(g, dt, "batch.tail", s.targets()),
		meanChosen:     pr.meanChosen.Declare(g, dt, "batch.mean_chosen", 1),
		chosenTokens:   pr.chosenTokens.Declare(g, dt, "batch.chosen_tokens", s.pairs),
		rejectedTokens: pr.rejectedTokens.Declare(g, dt, "batch.rejected_tokens", s.pairs),
	}
	if pr.compared {
		t.reference = pr.reference.Declare(g, dt, "batch.reference", s.targets())
	}
	if pr.prompt != nil {
		pr.prompt.declare(g, s, dt)
		t.promptEnds, t.meanText = pr.prompt.ends, pr.prompt.mean.Node
	}
	return t
}

// axes lists the dynamic axes.
func (pr *program) axes() []tensor.Axis {
	targets, pairs := tensor.Nodes{pr.tail.Node}, tensor.Nodes{pr.chosen, pr.rejected, pr.chosenTokens.Node, pr.rejectedTokens.Node}
	if pr.compared {
		targets = append(targets, pr.reference.Node)
	}
	if pr.prompt != nil {
		pairs = append(pairs, pr.prompt.ends)
	}
	all := append(pr.Axes(tensor.Nodes{pr.targetEnds}, targets), tensor.Axis{Name: axisPairs, Inputs: pairs})
	if pr.prompt != nil {
		all = append(all, tensor.Axis{Name: axisPrompts, Inputs: tensor.Nodes{pr.prompt.rows, pr.prompt.targets}})
	}
	return all
}

// logged are the rewards and log-probabilities that a run shows.
func (t Terms) logged(in LogProbs) [4]*tensor.Node {
	out := [4]*tensor.Node{t.Rewards[0], t.Rewards[1], t.LogProbs[0], t.LogProbs[1]}
	defaults := [4]*tensor.Node{in.ChosenRatio, in.RejectedRatio, in.Chosen, in.Rejected}
	for i, n := range out {
		if n != nil {
			continue
		}
		n = defaults[i]
		if n == nil { // no reference: the log-probability stands for the ratio
			n = out[i+2]
			if n == nil {
				n = defaults[i+2]
			}
		}
		if i < 2 {
			n = tensor.Scale(n, in.Beta)
		}
		out[i] = n
	}
	return out
}

// given are the numbers of a micro-batch that come from outside of it.
type given struct {
	reference  []float64 // (M) log π₀ of each target
	meanChosen float64   // tokens
	meanText   float64   // tokens, for losses that ask for prompts
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
	return policy.Scalar(pr.run, pr.loss)
}

func (pr *program) bindAll(b *Batch, in given) error {
	if err := policy.SetLive(pr.run, axisPairs, len(b.Chosen)); err != nil {
		return err
	}
	if err := pr.Bind(pr.run, &b.Packed); err != nil {
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
	if pr.prompt != nil {
		if err := pr.prompt.bind(pr.run, b, in.meanText); err != nil {
			return err
		}
	}
	if err := pr.seed.Bind(pr.run, in.seed); err != nil {
		return err
	}
	if err := pr.meanChosen.Bind(pr.run, max(1, in.meanChosen)); err != nil {
		return err
	}
	if pr.compared {
		if err := pr.reference.Bind(pr.run, in.reference...); err != nil {
			return err
		}
	}
	return pr.bindLengths(b)
}

// bindLengths binds what follows from the lengths of the answers.
func (pr *program) bindLengths(b *Batch) error {
	pr.values = appendTail(pr.values[:0], b.TargetEnds, b.Chosen, b.Rejected, pr.alpha)
	if err := pr.tail.Bind(pr.run, pr.values...); err != nil {
		return err
	}
	pr.values = appendLengths(pr.values[:0], b.TargetEnds, b.Chosen)
	if err := pr.chosenTokens.Bind(pr.run, pr.values...); err != nil {
		return err
	}
	pr.values = appendLengths(pr.values[:0], b.TargetEnds, b.Rejected)
	return pr.rejectedTokens.Bind(pr.run, pr.values...)
}

// appendLengths appends the number of tokens of each segment, at least 1.
func appendLengths(dst []float64, ends, segments []int32) []float64 {
	for _, s := range segments {
		dst = append(dst, float64(max(1, policy.SegmentLen(ends, s))))
	}
	return dst
}
