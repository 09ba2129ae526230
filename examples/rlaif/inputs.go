package main

import (
	"context"
	"strings"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/data/answer"
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/examples/internal/problems"
	"github.com/posttrain/posttrain/examples/internal/stages"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/feedback"
	"github.com/posttrain/posttrain/rlhf/rollout"
)

// inputs are the prompts of a run and who judges answers to them.
type inputs struct {
	from    *auto.Checkpoint
	policy  rlhf.Policy
	prompts []rollout.Prompt
	held    int
	exam    stages.Exam
	gen     *generate.Generator // of the policy
	judge   feedback.Judge
	helper  feedback.Writer // criticises and revises
	done    []func() error
}

// open reads prompts and prepares exam and judge.
func (in *inputs) open(ctx context.Context) error {
	training, held, err := problems.Rows(&flags)
	if err != nil {
		return err
	}
	in.held = len(held)
	if in.prompts, err = rollout.Prompts(ctx, data.Slice[data.Row](training), rollout.PromptOptions{Encoder: in.from.Tokenizer}); err != nil {
		return err
	}
	if in.exam, err = newExam(ctx, in, held); err != nil {
		return err
	}
	in.done = append(in.done, in.gen.Close)
	if *judge != "" {
		var done func() error
		if in.judge, in.helper, done, err = reader(*judge); err == nil {
			in.done = append(in.done, done)
		}
		return err
	}
	s := &simulated{gold: map[string]string{}, accuracy: *accuracy, place: *place, seed: flags.Seed}
	for _, p := range in.prompts {
		s.gold[p.Text], _ = final(p.Reference)
	}
	in.judge, in.helper = s, s
	return nil
}

func (in *inputs) close() {
	for _, f := range in.done {
		f()
	}
}

// final is the answer in a text: a number behind GSM8K's marks, else all of it.
func final(text string) (string, bool) {
	if strings.Contains(text, "####") {
		return answer.GSM8K(text)
	}
	return strings.TrimSpace(text), true
}

// constitution is what revisions are about.
var constitution = []feedback.Principle{
	{Name: "truth", Critique: "Say whether the answer is wrong.", Revision: "Give the right answer."},
	{Name: "proof", Critique: "Work the answer out again and say what differs.", Revision: "Write the answer that you have worked out."},
}

// revisions are what the policy is to say instead of its own first answers.
func (in *inputs) revisions(ctx context.Context, out *cli.Progress) (*data.Dataset, error) {
	w, err := feedback.NewWriter(in.gen, in.from.Tokenizer, generate.Options{MaxTokens: *longest, Temperature: 1}, true)
	if err != nil {
		return nil, err
	}
	var questions []feedback.Question
	for _, p := range in.prompts[:min(len(in.prompts), *revised)] {
		questions = append(questions, feedback.Question{Prompt: p.Text, At: p.At})
	}
	list, err := feedback.Revise(ctx, w, questions, feedback.ReviseOptions{Principles: constitution, Critic: in.helper, Reviser: in.helper, Seed: flags.Seed})
	if err != nil {
		return nil, err
	}
	var rows []data.Row
	changed := 0
	for _, r := range list {
		rows = append(rows, r.Row())
		if pair, ok := r.Pair(); ok {
			if changed++; changed <= 3 {
				out.Say("  %s  %q, criticised: %q, revised: %q", r.Prompt, pair.Rejected, r.Steps[0].Critique, pair.Chosen)
			}
		}
	}
	out.Say("%d of %d answers were revised", changed, len(rows))
	_, eos, _ := in.from.Tokenizer.EOS()
	set, _, err := data.Prepare(ctx, data.Slice[data.Row](rows), in.from.Tokenizer, data.PrepareOptions{EOS: eos, MaxLength: flags.MaxLength})
	return set, err
}

// task rewards a completion by how often the judge prefers it to others of its group.
func (in *inputs) task() (stages.Task, error) {
	w, err := feedback.WinRate(in.judge, feedback.WinRateOptions{Seed: flags.Seed})
	return stages.Task{Prompts: in.prompts, Rewards: []rollout.Reward{{By: w}}, Options: options(in)}, err
}
