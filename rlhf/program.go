package rlhf

import (
	"slices"

	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
)

// size is the capacity of a program.
type size struct{ tokens, rows int }

func (o *Options) size() size { return size{o.MicroTokens, o.MaxRows} }

// texts is the capacity of its texts: every row may have a prompt of its own, and
// every token but a row's last is computed and predicts.
func (s size) texts() policy.Size {
	return policy.Size{Tokens: s.tokens, Segments: 2 * s.rows, Targets: s.tokens + s.rows}
}

// axisRows and axisGroups are the dynamic axes of completions and of their groups.
const (
	axisRows   = "rows"
	axisGroups = "groups"
)

// program is the compiled objective of one micro-batch with its gradients.
type program struct {
	run *tensor.Program
	policy.Texts
	ends, row         *tensor.Node // (R), (M)
	groupEnds, groups *tensor.Node // (G), (R); nil unless the loss wants whole groups

	seed, entropyCoef                                policy.Number // (1)
	klCoef                                           policy.Number // (1)
	advantage, mask, keep, old, ref, sampler, weight policy.Number // (M)
	taught                                           policy.Number // (M)
	rowWeight, lengths, groupLengths                 policy.Number // (R)

	loss    *tensor.Node // (1)
	logProb *tensor.Node // (M)
	metrics []Metric
	values  []float64
}

// uses says which inputs a program has.
type uses struct {
	old, ref, sampler, weight, rowWeight, entropyCoef, groupLengths, keep, kl, groups, taught bool
}

func (o *Options) uses() uses {
	old, _ := o.needs()
	return uses{
		old: old, ref: o.Objective.Needs().Ref, sampler: o.Objective.OffPolicy != 0,
		weight: o.Correction.perToken(), rowWeight: o.Correction.perRow(),
		entropyCoef: o.Objective.Entropy != 0, groupLengths: o.Objective.Average().Over == MeanOfGroups,
		keep: o.keeps(), kl: o.Objective.KL.Coef != 0, groups: o.Objective.Needs().Groups, taught: o.Taught.Coef != 0,
	}
}

// keeps says whether only some tokens teach.
func (o *Options) keeps() bool { return o.TopEntropy > 0 && o.TopEntropy < 1 }

// compile builds and compiles the program; ref is nil without a KL term.
func compile(p Policy, o *Options, params []*tensor.Param, ref *frozen, arena *tensor.Arena) (*program, error) {
	g, pr, co, err := describe(p, o, params, ref)
	if err != nil {
		return nil, err
	}
	co.Arena = arena
	pr.run, err = tensor.Compile(g, pr.outputs(), co)
	return pr, err
}

// plan is the memory plan of what compile would make.
func plan(p Policy, o *Options, params []*tensor.Param) (tensor.Plan, error) {
	// A reference takes what the model does, whatever its adapter.
	g, pr, co, err := describe(p, o, params, &frozen{model: p.Model})
	if err != nil {
		return tensor.Plan{}, err
	}
	return tensor.DryPlan(g, pr.outputs(), co)
}

func (pr *program) outputs() tensor.Nodes {
	outs := tensor.Nodes{pr.loss, pr.logProb}
	for _, m := range pr.metrics {
		if !slices.Contains(outs, m.Value) {
			outs = append(outs, m.Value)
		}
	}
	return outs
}

// describe builds the graph.
func describe(p Policy, o *Options, params []*tensor.Param, ref *frozen) (*tensor.Graph, *program, tensor.CompileOptions, error) {
	pr := &program{}
	co := tensor.CompileOptions{Device: o.Device, Debug: o.Debug}
	g, err := tensor.Build(func(g *tensor.Graph) {
		in := pr.declare(g, o, policy.Precision(p.Model))
		inputs := pr.Inputs(p.AdapterName())
		if params != nil && o.Recompute {
			inputs.OnLayer = func(x *tensor.Node) { co.Checkpoints = append(co.Checkpoints, x) }
		}
		d := distribution(p.Model, inputs, g, o.Generate.Temperature)
		lp := d.LogProbs(pr.Rows, pr.Targets)
		if o.Objective.Needs().ExactKL {
			other := distribution(ref.model, pr.Inputs(ref.adapter), g, o.Generate.Temperature)
			in.ExactKL = tensor.TokenKL(d, other, pr.Rows).PolicyToReference
		}
		in.LogProb, in.Entropy = lp.LogProb, lp.Entropy
		total := o.Objective.Build(g, in)
		pr.loss, pr.logProb, pr.metrics = tensor.Sum(total.Loss), lp.LogProb, total.Metrics
		co.Accumulate = policy.Gradients(g, pr.loss, pr.seed.Node, params)
	})
	co.Axes = pr.axes()
	return g, pr, co, err
}

// distribution is the model's own at the temperature of sampling, which divides
// the logits here as it does there.
func distribution(m model.Model, in *model.Inputs, g *tensor.Graph, temperature float64) tensor.Distribution {
	d := model.Distribution(m, in, m.Hidden(g, in))
	d.Options.Temperature = temperature
	return d
}

// declare adds the inputs to the graph.
func (pr *program) declare(g *tensor.Graph, o *Options, dt tensor.Dtype) Tokens {
	s, u := o.size(), o.uses()
	t := s.texts()
	pr.Texts.Declare(g, t)
	pr.ends = tensor.Input(g, tensor.Int32, "batch.row_ends", s.rows)
	pr.row = tensor.Input(g, tensor.Int32, "batch.row", t.Targets)
	pr.seed.Declare(g, dt, "batch.seed", 1)
	in := Tokens{
		Ends: pr.ends, Row: pr.row,
		Advantage: pr.advantage.Declare(g, dt, "batch.advantage", t.Targets),
		Mask:      pr.mask.Declare(g, dt, "batch.mask", t.Targets),
		Lengths:   pr.lengths.Declare(g, dt, "batch.lengths", s.rows),
	}
	if u.groups {
		pr.groupEnds, pr.groups = tensor.Input(g, tensor.Int32, "batch.group_ends", s.rows), tensor.Input(g, tensor.Int32, "batch.group", s.rows)
		in.GroupEnds, in.Group = pr.groupEnds, pr.groups
	}
	for _, x := range []struct {
		used bool
		from *policy.Number
		name string
		n    int
		into **tensor.Node
	}{
		{u.old, &pr.old, "batch.old", t.Targets, &in.Old}, {u.ref, &pr.ref, "batch.ref", t.Targets, &in.Ref},
		{u.sampler, &pr.sampler, "batch.sampler", t.Targets, &in.Sampler}, {u.weight, &pr.weight, "batch.weight", t.Targets, &in.Weight},
		{u.rowWeight, &pr.rowWeight, "batch.row_weight", s.rows, &in.RowWeight}, {u.groupLengths, &pr.groupLengths, "batch.group_lengths", s.rows, &in.GroupLengths},
		{u.keep, &pr.keep, "batch.keep", t.Targets, &in.Keep}, {u.kl, &pr.klCoef, "batch.kl_coef", 1, &in.KLCoef},
		{u.entropyCoef, &pr.entropyCoef, "batch.entropy_coef", 1, &in.EntropyCoef}, {u.taught, &pr.taught, "batch.taught", t.Targets, &in.Taught},
	} {
		if x.used {
			*x.into = x.from.Declare(g, dt, x.name, x.n)
		}
	}
	return in
}

// axes lists the dynamic axes.
func (pr *program) axes() []tensor.Axis {
	targets, rows := tensor.Nodes{pr.row}, tensor.Nodes{pr.ends}
	for _, x := range []*policy.Number{&pr.advantage, &pr.mask, &pr.keep, &pr.old, &pr.ref, &pr.sampler, &pr.weight, &pr.taught} {
		if x.Node != nil {
			targets = append(targets, x.Node)
		}
	}
	for _, x := range []*policy.Number{&pr.lengths, &pr.rowWeight, &pr.groupLengths} {
		if x.Node != nil {
			rows = append(rows, x.Node)
		}
	}
	axes := pr.Axes(nil, targets)
	if pr.groups != nil {
		rows = append(rows, pr.groups)
		axes = append(axes, tensor.Axis{Name: axisGroups, Inputs: tensor.Nodes{pr.groupEnds}})
	}
	return append(axes, tensor.Axis{Name: axisRows, Inputs: rows})
}

// given are the numbers of a micro-batch that come from outside of it.
type given struct {
	seed, entropyCoef, klCoef                        float64
	advantage, mask, keep, old, ref, sampler, weight []float64 // (M)
	taught                                           []float64 // (M)
	rowWeight, lengths, groupLengths                 []float64 // (R)
}

// compute runs the program on a micro-batch; the gradients are those of
// seed·Σ loss. It returns that sum without the seed.
func (pr *program) compute(b *microBatch, in *given) (float64, error) {
	if err := policy.SetLive(pr.run, axisRows, len(b.rows)); err != nil {
		return 0, err
	}
	if err := pr.Bind(pr.run, &b.Packed); err != nil {
		return 0, err
	}
	if err := policy.BindInts(pr.run, policy.Ints{Node: pr.ends, Values: b.ends}, policy.Ints{Node: pr.row, Values: b.row}); err != nil {
		return 0, err
	}
	if err := pr.bindGroups(b); err != nil {
		return 0, err
	}
	for _, x := range []struct {
		n *policy.Number
		v []float64
	}{
		{&pr.seed, []float64{in.seed}}, {&pr.entropyCoef, []float64{in.entropyCoef}}, {&pr.klCoef, []float64{in.klCoef}},
		{&pr.advantage, in.advantage}, {&pr.mask, in.mask}, {&pr.keep, in.keep}, {&pr.old, in.old}, {&pr.ref, in.ref}, {&pr.sampler, in.sampler}, {&pr.weight, in.weight}, {&pr.taught, in.taught},
		{&pr.rowWeight, in.rowWeight}, {&pr.lengths, in.lengths}, {&pr.groupLengths, in.groupLengths},
	} {
		if x.n.Node == nil {
			continue
		}
		if err := x.n.Bind(pr.run, x.v...); err != nil {
			return 0, err
		}
	}
	if err := pr.run.Run(); err != nil {
		return 0, err
	}
	var err error
	pr.values, err = policy.AppendValues(pr.values[:0], pr.run, pr.loss)
	if err != nil {
		return 0, err
	}
	return pr.values[0], nil
}

// bindGroups binds which rows are of one group, where the loss wants to know.
func (pr *program) bindGroups(b *microBatch) error {
	if pr.groups == nil {
		return nil
	}
	if err := policy.SetLive(pr.run, axisGroups, len(b.groups)); err != nil {
		return err
	}
	return policy.BindInts(pr.run, policy.Ints{Node: pr.groupEnds, Values: b.groups}, policy.Ints{Node: pr.groups, Values: b.group})
}
