package process

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/tensor"
)

// Implicit takes rewards of steps out of a language model that learnt from whole
// answers: the reward of a step is what it adds to the answer's,
//
//	r_t = β·Σ_{tokens i of step t} log π(y_i|y_<i, x)/π₀(y_i|y_<i, x)
//
// in nats times β. The policy π is trained on answers that are right or wrong with
// the reward of the whole answer as log-odds (a cross-entropy loss in package
// dpo/unpaired), or by any preference loss against the same reference π₀; no step
// needs a label.
//
// Yuan et al. 2024, "Free Process Rewards without Process Labels",
// arXiv:2412.01981, proposition 3.1 and eq. 6. It is safe for concurrent use;
// calls take turns.
type Implicit struct {
	opts              ImplicitOptions
	mu                sync.Mutex
	policy, reference tokenScorer
}

// ImplicitOptions say what is compared with what. Model and Encoder are required.
type ImplicitOptions struct {
	// Name is what metrics call it; "" means "implicit".
	Name string
	// Model with the adapter named Adapter ("" for none) is the policy π.
	Model   model.Model
	Adapter string
	// Reference with the adapter named ReferenceAdapter ("" for none) is π₀; a nil
	// Reference stands for Model.
	Reference        model.Model
	ReferenceAdapter string
	// Beta is β of the policy's training; 0 means 0.05, the paper's.
	Beta float64
	// Encoder tokenises prompt and completion as one text, as in training.
	Encoder data.OffsetEncoder
	// Separator divides a completion into steps and belongs to the step before it;
	// "" means a line feed.
	Separator string
	// Tokens bounds the length of a text; 0 means 2,048.
	Tokens int
	// Device computes; nil means tensor.DefaultDevice.
	Device *tensor.Device
}

// tokenScorer computes the log-probability of every token of a text.
type tokenScorer struct {
	run                             *tensor.Program
	tokens, positions, ends, prefix *tensor.Node
	rows, targets                   *tensor.Node
	logProb                         *tensor.Node // (M)
}

// NewImplicit prepares scoring with the models as they are.
func NewImplicit(o ImplicitOptions) (*Implicit, error) {
	if o.Model == nil || o.Encoder == nil {
		return nil, errors.New("process: ImplicitOptions: got no Model or no Encoder, want both")
	}
	if o.Reference == nil {
		o.Reference = o.Model
	}
	if o.Reference == o.Model && o.Adapter == o.ReferenceAdapter {
		return nil, fmt.Errorf("process: ImplicitOptions: got the policy as its own reference (adapter %q), want another model or adapter", o.Adapter)
	}
	if o.Beta < 0 || o.Tokens < 0 {
		return nil, fmt.Errorf("process: ImplicitOptions: got Beta %g and Tokens %d, want positive numbers, or 0 for the defaults", o.Beta, o.Tokens)
	}
	if o.Name == "" {
		o.Name = "implicit"
	}
	if o.Beta == 0 {
		o.Beta = 0.05
	}
	if o.Separator == "" {
		o.Separator = "\n"
	}
	if o.Tokens == 0 {
		o.Tokens = 2048
	}
	m := &Implicit{opts: o}
	return m, errors.Join(m.policy.compile(o.Model, o.Adapter, o), m.reference.compile(o.Reference, o.ReferenceAdapter, o))
}

// compile builds the program; the programs of both models share no graph, because
// parameters of two models have the same names.
func (p *tokenScorer) compile(m model.Model, adapter string, o ImplicitOptions) error {
	g, err := tensor.Build(func(g *tensor.Graph) {
		ints := func(name string, n int) *tensor.Node { return tensor.Input(g, tensor.Int32, "batch."+name, n) }
		p.tokens, p.positions = ints("tokens", o.Tokens), ints("positions", o.Tokens)
		p.ends, p.prefix = ints("ends", 1), ints("prefix", 1)
		p.rows, p.targets = ints("rows", o.Tokens), ints("targets", o.Tokens)
		in := &model.Inputs{Tokens: p.tokens, Positions: p.positions, Ends: p.ends, Prefix: p.prefix, Adapter: adapter}
		p.logProb = model.Distribution(m, in, m.Hidden(g, in)).LogProbs(p.rows, p.targets).LogProb
	})
	if err != nil {
		return err
	}
	p.run, err = tensor.Compile(g, tensor.Nodes{p.logProb}, tensor.CompileOptions{Device: o.Device, Axes: []tensor.Axis{
		{Name: "tokens", Inputs: tensor.Nodes{p.tokens, p.positions}}, {Name: "targets", Inputs: tensor.Nodes{p.rows, p.targets}},
	}})
	return err
}

// score returns the log-probability of every token of ids from number first on.
func (p *tokenScorer) score(ids []int32, first int) ([]float64, error) {
	positions, rows := make([]int32, len(ids)), make([]int32, len(ids)-first)
	for i := range ids {
		positions[i] = int32(i)
	}
	for i := range rows {
		rows[i] = int32(first + i - 1)
	}
	if err := errors.Join(p.run.SetLive("tokens", len(ids)), p.run.SetLive("targets", len(rows))); err != nil {
		return nil, err
	}
	for _, in := range []struct {
		n *tensor.Node
		v []int32
	}{{p.tokens, ids}, {p.positions, positions}, {p.ends, []int32{int32(len(ids))}}, {p.prefix, []int32{-1}}, {p.rows, rows}, {p.targets, ids[first:]}} {
		if err := tensor.Bind(p.run, in.n, in.v); err != nil {
			return nil, err
		}
	}
	if err := p.run.Run(); err != nil {
		return nil, err
	}
	if p.logProb.Dtype() == tensor.Float64 {
		v, err := tensor.Values[float64](p.run, p.logProb)
		return slices.Clone(v), err
	}
	v, err := tensor.Values[float32](p.run, p.logProb)
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out, err
}

// ratios returns the log-ratio of every token of ids from number first on.
func (m *Implicit) ratios(ids []int32, first int) ([]float64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ratios, err := m.policy.score(ids, first)
	if err != nil {
		return nil, err
	}
	reference, err := m.reference.score(ids, first)
	for i, lp := range reference {
		ratios[i] -= lp
	}
	return ratios, err
}

// Name is the name that metrics carry.
func (m *Implicit) Name() string { return m.opts.Name }

// Score returns the reward of each step of the completion of a prompt. A token
// belongs to the step in which it begins. Their sum is the reward of the
// completion.
func (m *Implicit) Score(ctx context.Context, prompt, completion string) ([]float64, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("process: %s: %w", m.opts.Name, err)
	}
	ids, offsets := m.opts.Encoder.AppendOffsets(nil, nil, prompt+completion, true)
	first := 0
	for first < len(ids) && (offsets[first][0] < len(prompt) || offsets[first][0] == offsets[first][1] && first == 0) {
		first++
	}
	steps := make([]float64, len(m.ends(prompt, completion)))
	switch {
	case len(ids) > m.opts.Tokens:
		return nil, fmt.Errorf("process: %s: got a text of %d tokens, want at most %d (ImplicitOptions.Tokens)", m.opts.Name, len(ids), m.opts.Tokens)
	case first == len(ids):
		return steps, nil
	case first == 0:
		return nil, fmt.Errorf("process: %s: got no token before the completion, want a prompt", m.opts.Name)
	}
	ratios, err := m.ratios(ids, first)
	if err != nil {
		return nil, fmt.Errorf("process: %s: %w", m.opts.Name, err)
	}
	step, ends := 0, m.ends(prompt, completion)
	for i, r := range ratios {
		for step < len(ends)-1 && offsets[first+i][0] >= ends[step] {
			step++
		}
		steps[step] += m.opts.Beta * r
	}
	return steps, nil
}

// ends are the ends of the steps in the text, in bytes.
func (m *Implicit) ends(prompt, completion string) (ends []int) {
	at := len(prompt)
	for _, s := range strings.SplitAfter(completion, m.opts.Separator) {
		if s != "" {
			at += len(s)
			ends = append(ends, at)
		}
	}
	return ends
}

// Verify implements reward.Verifier: the reward of the whole completion.
func (m *Implicit) Verify(ctx context.Context, s reward.Sample) (float64, error) {
	steps, err := m.Score(ctx, s.Prompt, s.Completion)
	total := 0.0
	for _, r := range steps {
		total += r
	}
	return total, err
}

var _ reward.Verifier = (*Implicit)(nil)
