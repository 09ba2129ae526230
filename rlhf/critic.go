package rlhf

import (
	"errors"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/internal/policy"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/rlhf/advantage"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// Critic estimates what is still to come after each token, for PPO and A2C: its
// values, and advantages from them (advantage.GAE), take the place of
// Options.Advantages. It is trained along with the policy. Its parameters are called
// critic.NAME, so that a train.Group with the pattern "critic.*" gives them a rate of
// their own.
type Critic struct {
	// Model computes the hidden states that Head reads; nil shares the policy's, which
	// then learns from the value loss too.
	Model model.Model
	// Adapter, of Model, is trained in place of all its weights.
	Adapter *lora.Adapter
	// Head maps hidden states to values: model.NewHead(m, model.Value, nil, 0).
	Head *model.Head
	// Loss is the critic's.
	Loss Value
	// Coef multiplies the loss; 0 means 1. TRL has 0.1.
	Coef float64
	// Gamma is the discount a token and Lambda GAE's λ; 0 means 1 and 0.95.
	Gamma, Lambda float64
	// KeepScale leaves advantages as they are; by default they are whitened over the
	// rollout.
	KeepScale bool
}

func (c *Critic) withDefaults() Critic {
	out := *c
	for _, f := range []struct {
		p *float64
		v float64
	}{{&out.Coef, 1}, {&out.Gamma, 1}, {&out.Lambda, 0.95}} {
		if *f.p == 0 {
			*f.p = f.v
		}
	}
	return out
}

// validate reports what is missing or makes no sense.
func (c *Critic) validate() error {
	if c == nil {
		return nil
	}
	var faults []error
	if c.Head == nil || c.Head.Kind != model.Value {
		faults = append(faults, errors.New("rlhf: Critic.Head: got none, or one that is no value head, want one of model.NewHead"))
	}
	if c.Adapter != nil && (c.Model == nil || !model.HasAdapter(c.Model, c.Adapter.Name())) {
		faults = append(faults, errors.New("rlhf: Critic.Adapter: got one that is not attached to Critic.Model"))
	}
	for _, f := range []struct {
		name string
		v    float64
		most float64
	}{{"Coef", c.Coef, math.MaxFloat64}, {"Gamma", c.Gamma, 1}, {"Lambda", c.Lambda, 1}} {
		if !(f.v >= 0 && f.v <= f.most) {
			faults = append(faults, fmt.Errorf("rlhf: Critic.%s: got %g, want 0 (default) to %g", f.name, f.v, f.most))
		}
	}
	return errors.Join(append(faults, c.Loss.Validate())...)
}

// own lists the parameters that are the critic's alone.
func (c *Critic) own() []*tensor.Param {
	var list []*tensor.Param
	for _, p := range c.Head.Params() {
		list = append(list, p)
	}
	if c.Model != nil {
		list = append(list, policy.Policy{Model: c.Model, Adapter: c.Adapter}.Params()...)
	}
	return list
}

// criticParam is a parameter of the critic under a name of its own.
type criticParam struct{ *tensor.Param }

// Name is the parameter's behind "critic.".
func (p criticParam) Name() string { return "critic." + p.Param.Name() }

var _ train.Parameter64 = criticParam{}

// judge is a critic at work.
type judge struct {
	Critic
	params []*tensor.Param // its own
	scorer *scorer
	run    *tensor.Program
	policy.Texts
	ends             *tensor.Node
	mask, old, due   policy.Number // (M)
	seed             policy.Number // (1)
	loss, value      *tensor.Node
	metrics          []Metric
	values           []float64
	explained, total float64 // of the rollout; of the step so far
}

// trunk is the model whose hidden states the critic reads, and its adapter.
func (c *Critic) trunk(p Policy) policy.Policy {
	if c.Model == nil {
		return policy.Policy(p)
	}
	return policy.Policy{Model: c.Model, Adapter: c.Adapter}
}

// score builds the values at the rows that predict tokens.
func (c *Critic) score(g *tensor.Graph, p Policy, x *policy.Texts) *tensor.Node {
	t := c.trunk(p)
	in := x.Inputs(t.AdapterName())
	return column(c.Head.Scores(in, t.Model.Hidden(g, in), x.Rows), false)
}

// newJudge compiles the critic.
func newJudge(c *Critic, p Policy, o *Options, arena *tensor.Arena) (*judge, error) {
	j := &judge{Critic: c.withDefaults(), params: c.own()}
	if err := policy.MakeTrainable(j.params); err != nil {
		return nil, err
	}
	var err error
	if j.scorer, err = newScorer(o, arena, func(g *tensor.Graph, x *policy.Texts) *tensor.Node { return j.score(g, p, x) }); err != nil {
		return nil, err
	}
	g, co, err := j.describe(p, o)
	if err != nil {
		return nil, err
	}
	co.Arena = arena
	j.run, err = tensor.Compile(g, j.outputs(), co)
	return j, err
}

func (j *judge) outputs() tensor.Nodes {
	outs := tensor.Nodes{j.loss, j.value}
	for _, m := range j.metrics {
		outs = append(outs, m.Value)
	}
	return outs
}

// describe builds the graph of the critic's loss.
func (j *judge) describe(p Policy, o *Options) (*tensor.Graph, tensor.CompileOptions, error) {
	co := tensor.CompileOptions{Device: o.Device, Debug: o.Debug}
	s, t, dt := o.size(), o.size().texts(), policy.Precision(p.Model)
	g, err := tensor.Build(func(g *tensor.Graph) {
		j.Declare(g, t)
		j.ends = tensor.Input(g, tensor.Int32, "batch.row_ends", s.rows)
		in := ValueTokens{
			Old: j.old.Declare(g, dt, "batch.old", t.Targets), Return: j.due.Declare(g, dt, "batch.return", t.Targets),
			Mask: j.mask.Declare(g, dt, "batch.mask", t.Targets), Ends: j.ends, Value: j.score(g, p, &j.Texts),
		}
		total := j.Loss.Build(g, in)
		j.loss, j.value, j.metrics = tensor.Sum(total.Loss), in.Value, total.Metrics
		j.seed.Declare(g, dt, "batch.seed", 1)
		params := j.params
		if j.Model == nil {
			params = append(append([]*tensor.Param{}, params...), policy.Policy(p).Params()...)
		}
		co.Accumulate = policy.Reached(g, j.loss, j.seed.Node, params)
	})
	co.Axes = append(j.Axes(nil, tensor.Nodes{j.old.Node, j.due.Node, j.mask.Node}), tensor.Axis{Name: axisRows, Inputs: tensor.Nodes{j.ends}})
	return g, co, err
}

// assess fills the values, advantages and returns of a rollout. Completions whose
// reward is not known teach nothing.
func (j *judge) assess(l *layout, in Scored) ([][]float64, error) {
	if err := j.scorer.score(l, in.Rows, func(c *rollout.Completion, v []float64) { c.Values = v }); err != nil {
		return nil, err
	}
	unknown := make([]bool, len(in.Rows))
	values := make([][]float64, len(in.Rows))
	for i, c := range in.Rows {
		unknown[i], values[i] = math.IsNaN(in.Rewards[i]), c.Values
	}
	mask := advantage.WithoutRows(in.Mask, unknown)
	advantages, returns := advantage.GAE(in.TokenRewards(), values, mask, j.Gamma, j.Lambda)
	for i, c := range in.Rows {
		c.Returns = returns[i]
	}
	j.explained = advantage.ExplainedVariance(values, returns, mask)
	if !j.KeepScale {
		advantages = advantage.Whiten(advantages, mask, advantage.WhitenOptions{Unbiased: true})
	}
	return advantages, nil
}

// learn adds the gradients of seed·Σ loss of a micro-batch.
func (j *judge) learn(b *microBatch, mask []float64, seed float64) error {
	if err := policy.SetLive(j.run, axisRows, len(b.rows)); err != nil {
		return err
	}
	if err := j.Bind(j.run, &b.Packed); err != nil {
		return err
	}
	var old, due, on []float64
	at := 0
	for _, c := range b.rows {
		old, due = append(old, c.Values...), append(due, c.Returns...)
		for range c.Tokens {
			v := mask[at]
			if math.IsNaN(c.Reward) {
				v = 0
			}
			on = append(on, v)
			at++
		}
	}
	if err := errors.Join(policy.BindInts(j.run, policy.Ints{Node: j.ends, Values: b.ends}), j.seed.Bind(j.run, seed),
		j.old.Bind(j.run, old...), j.due.Bind(j.run, due...), j.mask.Bind(j.run, on...)); err != nil {
		return err
	}
	if err := j.run.Run(); err != nil {
		return err
	}
	var err error
	if j.values, err = policy.AppendValues(j.values[:0], j.run, j.loss); err != nil {
		return err
	}
	j.total += j.values[0] * seed
	return nil
}

// book logs the critic's metrics of a micro-batch.
func (j *judge) book(m *train.Metrics, mask []float64) error {
	for _, x := range append([]Metric{{Name: "critic/values/mean", Value: j.value}}, j.metrics...) {
		var err error
		if j.values, err = policy.AppendValues(j.values[:0], j.run, x.Value); err != nil {
			return err
		}
		for i, v := range j.values {
			m.Add(x.Name, v, mask[i])
		}
	}
	return nil
}
