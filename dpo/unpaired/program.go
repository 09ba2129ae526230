package unpaired

import (
	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
)

// program is the compiled loss of one micro-batch, with the gradients of the
// trainable parameters or without.
type program struct {
	run *tensor.Program
	policy.Texts
	targetEnds *tensor.Node // (R) int32

	seed, reference, desirable, likeness, lengths, baseline policy.Number

	asks Traits

	loss                    *tensor.Node // (1) Σ weight·loss
	ratio, logProb          *tensor.Node // (R)
	logits, entropy, argMax *tensor.Node // (M)
	extra                   []dpo.Metric
	values                  []float64
}

// compile builds and compiles the program.
func compile(p dpo.Policy, o Options, params []*tensor.Param, arena *tensor.Arena) (*program, error) {
	g, pr, co, err := describe(p, o, params)
	if err != nil {
		return nil, err
	}
	co.Arena = arena
	pr.run, err = tensor.Compile(g, pr.outputs(), co)
	return pr, err
}

// plan is the memory plan of what compile would make.
func plan(p dpo.Policy, o Options) (tensor.Plan, error) {
	g, pr, co, err := describe(p, o, p.Params())
	if err != nil {
		return tensor.Plan{}, err
	}
	return tensor.DryPlan(g, pr.outputs(), co)
}

func (pr *program) outputs() tensor.Nodes {
	outs := tensor.Nodes{pr.loss, pr.ratio, pr.logProb, pr.logits, pr.entropy, pr.argMax}
	for _, m := range pr.extra {
		outs = append(outs, m.Value)
	}
	return outs
}

// describe builds the graph.
func describe(p dpo.Policy, o Options, params []*tensor.Param) (*tensor.Graph, *program, tensor.CompileOptions, error) {
	pr := &program{asks: o.Loss.Traits()}
	co := tensor.CompileOptions{Device: o.Device, Debug: o.Debug}
	g, err := tensor.Build(func(g *tensor.Graph) {
		in := pr.declare(g, o, policy.Precision(p.Model))
		forward := pr.Inputs(p.AdapterName())
		if params != nil && o.Recompute {
			forward.OnLayer = func(x *tensor.Node) { co.Checkpoints = append(co.Checkpoints, x) }
		}
		lp := model.Distribution(p.Model, forward, p.Model.Hidden(g, forward)).LogProbs(pr.Rows, pr.Targets)
		in.LogProb = tensor.SegmentSum(lp.LogProb, pr.targetEnds)
		in.Ratio = tensor.SegmentSum(tensor.Sub(lp.LogProb, pr.reference.Node), pr.targetEnds)
		terms := o.Loss.Build(g, in)
		if terms.Loss == nil || !terms.Loss.Shape().Eq(in.LogProb.Shape()) {
			tensor.Fail("unpaired: loss %s: got %v, want one number a row, the shape of LogProbs.LogProb", o.Loss.Name(), terms.Loss)
		}
		each := terms.Loss
		if terms.Weight != nil {
			each = tensor.Mul(tensor.Detach(terms.Weight), each)
		}
		pr.loss, pr.ratio, pr.logProb, pr.extra = tensor.Sum(each), in.Ratio, in.LogProb, terms.Metrics
		pr.logits, pr.entropy, pr.argMax = lp.MeanLogit, lp.Entropy, lp.ArgMax
		co.Accumulate = policy.Gradients(g, pr.loss, pr.seed.Node, params)
	})
	co.Axes = pr.Axes(tensor.Nodes{pr.targetEnds, pr.desirable.Node, pr.likeness.Node, pr.lengths.Node}, tensor.Nodes{pr.reference.Node})
	return g, pr, co, err
}

// declare adds the inputs to the graph.
func (pr *program) declare(g *tensor.Graph, o Options, dt tensor.Dtype) LogProbs {
	s := o.size()
	pr.Declare(g, s)
	pr.targetEnds = tensor.Input(g, tensor.Int32, "batch.target_ends", s.Segments)
	pr.seed.Declare(g, dt, "batch.seed", 1)
	pr.reference.Declare(g, dt, "batch.reference", s.Targets)
	in := LogProbs{
		Desirable: pr.desirable.Declare(g, dt, "batch.desirable", s.Segments),
		Likeness:  pr.likeness.Declare(g, dt, "batch.likeness", s.Segments),
		Tokens:    pr.lengths.Declare(g, dt, "batch.lengths", s.Segments),
		Beta:      o.beta(),
	}
	if pr.asks.KL || pr.asks.Delta {
		n := pr.baseline.Declare(g, dt, "batch.baseline", 1)
		if pr.asks.KL {
			in.KL = n
		} else {
			in.Delta = n
		}
	}
	return in
}

// given are the numbers of a micro-batch that come from outside of it.
type given struct {
	reference []float64 // (M) log π₀ of each target
	baseline  float64   // z or δ
	seed      float64
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
	if err := pr.Bind(pr.run, &b.Packed); err != nil {
		return err
	}
	if err := tensor.Bind(pr.run, pr.targetEnds, b.TargetEnds); err != nil {
		return err
	}
	if err := pr.seed.Bind(pr.run, in.seed); err != nil {
		return err
	}
	if err := pr.reference.Bind(pr.run, in.reference...); err != nil {
		return err
	}
	if pr.baseline.Node != nil {
		if err := pr.baseline.Bind(pr.run, in.baseline); err != nil {
			return err
		}
	}
	if err := pr.likeness.Bind(pr.run, b.Likeness...); err != nil {
		return err
	}
	pr.values = pr.values[:0]
	for _, d := range b.Desirable {
		v := 0.0
		if d {
			v = 1
		}
		pr.values = append(pr.values, v)
	}
	if err := pr.desirable.Bind(pr.run, pr.values...); err != nil {
		return err
	}
	pr.values = pr.values[:0]
	for i := range b.TargetEnds {
		pr.values = append(pr.values, float64(policy.SegmentLen(b.TargetEnds, int32(i))))
	}
	return pr.lengths.Bind(pr.run, pr.values...)
}
