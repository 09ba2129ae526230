package main

import (
	"context"
	"fmt"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/examples/internal/stages"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/advantage"
	"github.com/posttrain/posttrain/rlhf/rejection"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/sft"
)

// pipeline is what all stages share.
type pipeline struct {
	run            *stages.Run
	training, held []data.Row
	prompts        []rollout.Prompt
	closers        []func() error
}

// learner is a policy, that is, the base model as it is trained, and its writer.
type learner struct {
	*writer
	from   *auto.Checkpoint
	policy rlhf.Policy
}

// base opens the base model anew.
func (p *pipeline) base(ctx context.Context) (*learner, error) {
	c, err := flags.Open()
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, c.Close)
	a, err := stages.Adapter(&flags, c, "+=")
	if err != nil {
		return nil, err
	}
	l := &learner{from: c, policy: rlhf.Policy{Model: c.Model, Adapter: a}}
	if l.writer, err = newWriter(ctx, c.Model, l.policy.AdapterName(), c, p.held); err == nil {
		p.closers = append(p.closers, l.gen.Close)
	}
	return l, err
}

// imitate fine-tunes a policy.
func (p *pipeline) imitate(ctx context.Context, stage string, steps int, l *learner, set *data.Dataset) error {
	s := stages.Stage{Name: stage, Steps: steps, LR: stages.LearningRate(&flags, 4), Exam: l, Export: flags.Export(l.from)}
	return p.run.FineTune(ctx, s, sft.Policy{Model: l.policy.Model, Adapter: l.policy.Adapter}, set)
}

// coldStart shows the form of reasoning on a few written solutions.
func (p *pipeline) coldStart(ctx context.Context, l *learner) error {
	var rows []data.Row
	for _, r := range p.training[:min(len(p.training), *cold)] {
		rows = append(rows, reasoned(r))
	}
	_, eos, _ := l.from.Tokenizer.EOS()
	set, _, err := data.Prepare(ctx, data.Slice[data.Row](rows), l.from.Tokenizer, data.PrepareOptions{EOS: eos, MaxLength: flags.MaxLength})
	if err != nil {
		return err
	}
	return p.imitate(ctx, "1-cold-start", *coldSteps, l, set)
}

// reinforce rewards right answers in the right form.
func (p *pipeline) reinforce(ctx context.Context, stage string, steps int, l *learner) error {
	right, form := verifiers()
	s := stages.Stage{Name: stage, Steps: steps, LR: stages.LearningRate(&flags, 0.5), Exam: l, EvalEvery: flags.EvalEvery, Export: flags.Export(l.from)}
	return p.run.Reinforce(ctx, s, l.policy, stages.Task{
		Prompts: p.prompts, Rewards: []rollout.Reward{{By: rewarder(right)}, {By: rewarder(form), Weight: *formWeight}},
		Options: rlhf.Options{
			Objective: rlhf.Objective{Policy: rlhf.DAPO{}}, Advantages: rlhf.GroupAdvantages{GroupOptions: advantage.GroupOptions{Scale: advantage.NoScale}}, Rollout: rollout.Options{Prompts: *prompts, Completions: *completions},
			Generate: generate.Options{MaxTokens: *longest, Temperature: 1}, Decode: generate.Text(l.from.Tokenizer.NewStream), MicroTokens: max(flags.BatchTokens, flags.MaxLength),
		},
	})
}

// sample collects right answers of a policy to n prompts, at most k each.
func (p *pipeline) sample(ctx context.Context, l *learner, n, k int) (*data.Dataset, error) {
	s := rollout.FromModel(l.gen, generate.Options{MaxTokens: *longest, Temperature: 1})
	c, err := rejection.New(p.prompts[:min(n, len(p.prompts))], s, accepted(), rejection.Options{Completions: k, Keep: k, Balance: rejection.ByDifficulty, Seed: flags.Seed})
	if err != nil {
		return nil, err
	}
	round, err := c.Collect(ctx, 0)
	if err != nil {
		return nil, err
	}
	t := round.Stats
	p.run.Out.Say("\nrejection sampling: %d of %d samples right, %d kept (%.0f %%), %d of %d prompts without a right one", t.Accepted, t.Sampled, t.Kept, 100*t.KeptShare(), t.Unsolved, t.Prompts)
	if t.Kept == 0 {
		return nil, fmt.Errorf("rejection sampling: got no right answer to %d prompts, want some: give earlier stages more steps", t.Prompts)
	}
	return round.Dataset()
}

// distill teaches the base model anew what the teacher says, with the hard prompts more
// often.
func (p *pipeline) distill(ctx context.Context, set *data.Dataset) error {
	l, err := p.base(ctx)
	if err != nil {
		return err
	}
	return p.imitate(ctx, "5-distill", *studentSteps, l, set)
}
