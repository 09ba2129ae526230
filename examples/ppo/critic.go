package main

import (
	"context"
	"fmt"

	"github.com/posttrain/posttrain/eval"
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// newCritic is a model of its own with a value head. Where all weights of the reward
// model were trained it starts from them, as InstructGPT does (Ouyang et al. 2022,
// arXiv:2203.02155, C.4); else an adapter of it learns.
func newCritic(t *taste) (*rlhf.Critic, func() error, error) {
	full := t.net.Adapter == nil
	var o auto.Options
	if full {
		o.Weights = tensor.Float32
	}
	c, err := cli.OpenModel(flags.Model, o)
	if err != nil {
		return nil, nil, err
	}
	critic := &rlhf.Critic{Model: c.Model, Loss: rlhf.Value{Clip: *valueClip}}
	if critic.Head, err = model.NewHead(c.Model, model.Value, nil, 0); err != nil {
		return nil, nil, err
	}
	if full {
		err = copyWeights(c.Model, t.net.Model)
	} else {
		critic.Adapter, err = lora.Attach(c.Model, "default", lora.Config{Rank: flags.Rank, Alpha: 2 * float64(flags.Rank), Seed: flags.Seed})
	}
	return critic, c.Close, err
}

// copyWeights sets the weights of a model to those of another of the same shape.
func copyWeights(to, from model.Model) error {
	source := map[string]*tensor.Param{}
	for name, p := range from.Params() {
		source[name] = p
	}
	for name, p := range to.Params() {
		other := source[name]
		if other == nil || other.Len() != p.Len() || other.Dtype() != p.Dtype() {
			return fmt.Errorf("critic: the reward model is of another kind than the policy: weight %s differs", name)
		}
		copy(p.Data(), other.Data())
		p.Changed()
	}
	return nil
}

// exam measures the gold standard and the learned reward on held-out problems.
type exam struct {
	gold  *eval.ExactMatch
	taste *taste
}

// Evaluate implements train.Evaluator.
func (e exam) Evaluate(ctx context.Context, m *train.Metrics) error {
	answers, err := e.gold.Assess(ctx, m)
	if err != nil {
		return err
	}
	samples := make([]reward.Sample, len(answers.Records))
	for i, r := range answers.Records {
		samples[i] = reward.Sample{Prompt: r.Prompt, Completion: r.Completion}
	}
	scores, err := e.taste.model.ScoreSamples(ctx, samples)
	for _, s := range scores {
		m.Add("reward", probability(s), 1)
	}
	return err
}
