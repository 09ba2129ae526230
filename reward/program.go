package reward

import (
	"slices"

	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/tensor"
)

// program is the compiled loss of one micro-batch, with the gradients of the
// trainable parameters or without; or the scores alone.
type program struct {
	run *tensor.Program
	inputs
	seed    number
	one     [1]float64
	loss    *tensor.Node // (1) Σ loss; nil where only scores are computed
	rows    *tensor.Node // (R) scores
	columns *tensor.Node // (R,C) what the head says; nil in training
	extra   []Metric     // of the loss
	compile tensor.CompileOptions
}

// assemble builds and compiles the program.
func assemble(n Net, o Options, params []*tensor.Param, arena *tensor.Arena) (*program, error) {
	g, pr, err := describe(n, o, params)
	if err != nil {
		return nil, err
	}
	pr.compile.Arena = arena
	pr.run, err = tensor.Compile(g, pr.outputs(), pr.compile)
	return pr, err
}

// plan is the memory plan of what assemble would make.
func plan(n Net, o Options, params []*tensor.Param) (tensor.Plan, error) {
	g, pr, err := describe(n, o, params)
	if err != nil {
		return tensor.Plan{}, err
	}
	return tensor.DryPlan(g, pr.outputs(), pr.compile)
}

func (pr *program) outputs() tensor.Nodes {
	outs := tensor.Nodes{pr.rows}
	if pr.loss != nil {
		outs = append(outs, pr.loss)
	}
	if pr.columns != nil {
		outs = append(outs, pr.columns)
	}
	for _, m := range pr.extra {
		if !slices.Contains(outs, m.Value) {
			outs = append(outs, m.Value)
		}
	}
	return outs
}

// describe builds the graph of a loss; o.Loss nil computes scores alone.
func describe(n Net, o Options, params []*tensor.Param) (*tensor.Graph, *program, error) {
	pr := &program{compile: tensor.CompileOptions{Device: o.Device, Debug: o.Debug}}
	g, err := tensor.Build(func(g *tensor.Graph) {
		in := pr.texts(g, o.Capacity, n.AdapterName())
		rows := pr.inputs.rows(g, o.Capacity)
		if params != nil && o.Recompute {
			in.OnLayer = func(x *tensor.Node) { pr.compile.Checkpoints = append(pr.compile.Checkpoints, x) }
		}
		outputs := n.Head.Scores(in, n.Model.Hidden(g, in), rows)
		pr.rows = Contrast(outputs, n.mix())
		if o.Loss == nil {
			pr.columns = outputs
			return
		}
		sees := floats{&pr.inputs, n.precision()}.targets(g, o.Capacity)
		sees.Outputs, sees.Row, sees.Head = outputs, pr.rows, n.Head.Linear.WeightNode(in, g)
		sees.Answer = tensor.Gather(pr.rows, sees.Last)
		pr.addLoss(g, o.Loss, sees)
		pr.seed.node = tensor.Input(g, n.precision(), "batch.seed", 1)
		pr.compile.Accumulate = policy.Gradients(g, pr.loss, pr.seed.node, params)
	})
	pr.compile.Axes = pr.axes
	return g, pr, err
}

// addLoss adds the loss and its metrics.
func (pr *program) addLoss(g *tensor.Graph, l Loss, in Scores) {
	terms := l.Build(g, in)
	want, each := in.AnswerEnds.Shape(), "group"
	if l.Traits().PerRow {
		want, each = in.Row.Shape(), "scored token"
	}
	if terms.Loss == nil || !terms.Loss.Shape().Eq(want) {
		tensor.Fail("reward: loss %s: got %v, want one number a %s, the shape %v", l.Name(), terms.Loss, each, want)
	}
	pr.loss, pr.extra = tensor.Sum(terms.Loss), terms.Metrics
}

// compute runs the program on a micro-batch; the gradients are those of
// seed·Σ loss. It returns that sum without the seed, 0 where there is no loss.
func (pr *program) compute(b *Batch, seed float64) (float64, error) {
	if err := pr.bind(pr.run, b); err != nil {
		return 0, err
	}
	if pr.loss == nil {
		return 0, pr.run.Run()
	}
	pr.one[0] = seed
	if err := pr.seed.bind(pr.run, pr.one[:]); err != nil {
		return 0, err
	}
	if err := pr.run.Run(); err != nil {
		return 0, err
	}
	return policy.Scalar(pr.run, pr.loss)
}
