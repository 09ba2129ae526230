package oreo

import (
	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
)

// axisActions is the dynamic axis beside those of the texts.
const axisActions = "actions"

// program is the compiled objective of one micro-batch with its gradients.
type program struct {
	run *tensor.Program
	policy.Texts
	segmentEnds, actionRows, actionEnds *tensor.Node
	seed, returns, share, tokenShare    policy.Number
	reference                           policy.Number // (M), of a reference that is another model

	loss                   *tensor.Node // (1) Σ over trajectories
	policy, value          *tensor.Node // (A) squared residuals
	values, ratios         *tensor.Node // (A)
	kl                     *tensor.Node // (M), nil without regularisation
	level                  Level
	rowsOf, ends, segments []int32
}

// compile builds and compiles the program.
func compile(s *stage, arena *tensor.Arena) (*program, error) {
	pr := &program{level: s.opts.Level}
	co := tensor.CompileOptions{Device: s.opts.Device, Debug: s.opts.Debug, Arena: arena}
	g, err := tensor.Build(func(g *tensor.Graph) {
		pr.declare(g, s)
		in := pr.Inputs(s.policy.AdapterName())
		if s.opts.Recompute {
			in.OnLayer = func(x *tensor.Node) { co.Checkpoints = append(co.Checkpoints, x) }
		}
		hidden := s.policy.Model.Hidden(g, in)
		own := model.Distribution(s.policy.Model, in, hidden)
		pr.ratio(g, s, own)
		pr.values = pr.worth(g, s, tensor.Detach(hidden))
		pr.objective(s)
		co.Accumulate = policy.Gradients(g, pr.loss, pr.seed.Node, s.params)
	})
	if err != nil {
		return nil, err
	}
	targets := tensor.Nodes{pr.tokenShare.Node}
	if s.foreign() {
		targets = append(targets, pr.reference.Node)
	}
	co.Axes = append(pr.Axes(tensor.Nodes{pr.segmentEnds}, targets),
		tensor.Axis{Name: axisActions, Inputs: tensor.Nodes{pr.actionRows, pr.actionEnds, pr.returns.Node, pr.share.Node}})
	outputs := tensor.Nodes{pr.loss, pr.policy, pr.value, pr.values, pr.ratios}
	if pr.kl != nil {
		outputs = append(outputs, pr.kl)
	}
	pr.run, err = tensor.Compile(g, outputs, co)
	return pr, err
}

// declare adds the inputs to the graph.
func (pr *program) declare(g *tensor.Graph, s *stage) {
	n, dt := s.src.opts.TokensPerMicro, policy.Precision(s.policy.Model)
	segments := min(s.src.opts.PerStep, len(s.src.list))
	pr.Declare(g, policy.Size{Tokens: n, Segments: segments, Targets: n})
	pr.segmentEnds = tensor.Input(g, tensor.Int32, "batch.segment_ends", segments)
	pr.actionRows = tensor.Input(g, tensor.Int32, "batch.action_rows", n)
	pr.actionEnds = tensor.Input(g, tensor.Int32, "batch.action_ends", n)
	pr.seed.Declare(g, dt, "batch.seed", 1)
	pr.returns.Declare(g, dt, "batch.returns", n)
	pr.share.Declare(g, dt, "batch.share", n)
	pr.tokenShare.Declare(g, dt, "batch.token_share", n)
}

// ratio adds log-ratios of actions and the exact KL of each token.
func (pr *program) ratio(g *tensor.Graph, s *stage, own tensor.Distribution) {
	logProb := own.LogProbs(pr.Rows, pr.Texts.Targets).LogProb
	if s.foreign() {
		ref := pr.reference.Declare(g, policy.Precision(s.policy.Model), "batch.reference", s.src.opts.TokensPerMicro)
		pr.ratios = tensor.SegmentSum(tensor.Sub(logProb, ref), pr.actionEnds)
		return
	}
	in := pr.Inputs(s.reference.Adapter)
	ref := model.Distribution(s.reference.Model, in, s.reference.Model.Hidden(g, in))
	pr.ratios = tensor.SegmentSum(tensor.Sub(logProb, tensor.Detach(ref.LogProbs(pr.Rows, pr.Texts.Targets).LogProb)), pr.actionEnds)
	if *s.opts.Regularisation > 0 {
		pr.kl = tensor.TokenKL(own, ref, pr.Rows).PolicyToReference
	}
}

// worth adds the values of the states before the actions.
func (pr *program) worth(g *tensor.Graph, s *stage, policy *tensor.Node) *tensor.Node {
	in, hidden := pr.Inputs(""), policy
	if c := s.opts.Critic; c.Model != nil {
		in = pr.Inputs(c.AdapterName())
		hidden = c.Model.Hidden(g, in)
	}
	return column(s.opts.Head.Scores(in, hidden, pr.actionRows))
}

// objective adds the loss up: means over the actions of a trajectory, and over its
// tokens for the KL.
func (pr *program) objective(s *stage) {
	a := Actions{LogRatio: pr.ratios, Value: pr.values, Return: pr.returns.Node, Ends: pr.segmentEnds}
	pr.policy, pr.value = a.Losses(s.opts.Beta)
	both := tensor.Add(pr.policy, tensor.Scale(pr.value, s.opts.ValueWeight))
	pr.loss = tensor.MaskedSum(both, pr.share.Node)
	if pr.kl != nil {
		pr.loss = tensor.Add(pr.loss, tensor.Scale(tensor.MaskedSum(pr.kl, pr.tokenShare.Node), *s.opts.Regularisation))
	}
}

// bind points the inputs at a micro-batch.
func (pr *program) bind(b *data.Packed, list []Trajectory, seed float64) error {
	pr.rowsOf, pr.ends, pr.segments = pr.rowsOf[:0], pr.ends[:0], pr.segments[:0]
	var returns, share, tokenShare []float64
	target := int32(0)
	for _, i := range b.Examples {
		t, first := &list[i], len(pr.ends)
		pr.ends = pr.level.ends(pr.ends, t, target)
		n := len(pr.ends) - first
		for k := range n {
			at := target
			if k > 0 {
				at = pr.ends[first+k-1]
			}
			pr.rowsOf = append(pr.rowsOf, b.Rows[at])
			returns, share = append(returns, t.Reward), append(share, 1/float64(n))
		}
		for range t.Answer {
			tokenShare = append(tokenShare, 1/float64(len(t.Answer)))
		}
		pr.segments = append(pr.segments, int32(len(pr.ends)))
		target += int32(len(t.Answer))
	}
	if err := policy.SetLive(pr.run, axisActions, len(pr.ends)); err != nil {
		return err
	}
	if err := pr.Bind(pr.run, b); err != nil {
		return err
	}
	for _, x := range [...]struct {
		n *tensor.Node
		v []int32
	}{{pr.segmentEnds, pr.segments}, {pr.actionRows, pr.rowsOf}, {pr.actionEnds, pr.ends}} {
		if err := tensor.Bind(pr.run, x.n, x.v); err != nil {
			return err
		}
	}
	return pr.bindNumbers(seed, returns, share, tokenShare)
}

func (pr *program) bindNumbers(seed float64, returns, share, tokenShare []float64) error {
	if err := pr.seed.Bind(pr.run, seed); err != nil {
		return err
	}
	if err := pr.returns.Bind(pr.run, returns...); err != nil {
		return err
	}
	if err := pr.share.Bind(pr.run, share...); err != nil {
		return err
	}
	return pr.tokenShare.Bind(pr.run, tokenShare...)
}
