package main

import (
	"context"
	"errors"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/sft"
	"github.com/posttrain/posttrain/train"
	"github.com/posttrain/posttrain/train/report"
)

// fineTune lets the adapter imitate right answers.
func (s *student) fineTune(ctx context.Context, out string, steps int) error {
	// Rows become tokens, tokens become packed batches.
	_, eos, _ := s.Tokenizer.EOS()
	set, counts, err := data.Prepare(ctx, data.Slice[data.Row](s.training), s.Tokenizer, data.PrepareOptions{EOS: eos})
	if err != nil {
		return err
	}
	batches, err := data.NewBatcher(set, data.BatchOptions{TokensPerStep: 2048, TokensPerMicro: 2048, Seed: 42})
	if err != nil {
		return err
	}
	s.progress.Say("fine-tuning %s: %v", s.Path, counts)
	loop := s.loop(out, steps, 4e-3)
	loop.Sampler, loop.Reporter = s.exam, report.Run{Title: "Quickstart: fine-tuning"}
	t, err := sft.New(sft.Policy{Model: s.Model, Adapter: s.adapter}, batches, sft.Options{MicroTokens: 2048}, loop)
	if err != nil {
		return err
	}
	return t.Train(ctx, train.Hooks{Event: s.progress.Event})
}

// reinforce lets it answer sums several times each; what a verifier finds right
// becomes likelier (GRPO).
func (s *student) reinforce(ctx context.Context, out string, steps int) error {
	prompts, err := rollout.Prompts(ctx, data.Slice[data.Row](s.training), rollout.PromptOptions{Encoder: s.Tokenizer})
	if err != nil {
		return err
	}
	right := reward.Exact()
	verifier := rollout.Each(right.Name(), func(ctx context.Context, c *rollout.Completion) (float64, error) {
		return right.Verify(ctx, reward.Sample{Prompt: c.Prompt.Text, Completion: c.Text, Reference: c.Prompt.Reference})
	})
	s.progress.Say("\nlearning from a verifier")
	loop := s.loop(out, steps, 1e-3)
	loop.Reporter = report.Run{Title: "Quickstart: learning from a verifier"}
	t, err := rlhf.New(rlhf.Policy{Model: s.Model, Adapter: s.adapter}, prompts, []rollout.Reward{{By: verifier}}, rlhf.Options{
		Rollout:  rollout.Options{Prompts: 64, Completions: 8, Seed: 42},
		Generate: generate.Options{MaxTokens: mostTokens}, Decode: generate.Text(s.Tokenizer.NewStream),
	}, loop)
	if err != nil {
		return err
	}
	return errors.Join(t.Train(ctx, train.Hooks{Event: s.progress.Event}), t.Close())
}
