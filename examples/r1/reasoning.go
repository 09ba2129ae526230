package main

import (
	"context"
	"strings"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/data/answer"
	"github.com/posttrain/posttrain/eval"
	"github.com/posttrain/posttrain/examples/internal/stages"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/rlhf/rollout"
)

// marks stand around the reasoning, in front of the answer.
type marks struct{ opens, closes string }

// notation is that of DeepSeek-R1, reasoning in tags. The embedded model has seen
// digits, plus and equals alone, and learning to spell other characters would take it
// longer than learning to reason: to "41+38=" it says "70+9=79".
func notation() marks {
	if flags.Model == "" && flags.Data == "" {
		return marks{"", "="}
	}
	return marks{"<think>", "</think>"}
}

// verifier is 1 for a reasoning and an answer.
func (n marks) verifier() reward.Verifier {
	if n.opens != "" {
		return reward.Think()
	}
	return reward.Func("form", func(s reward.Sample) (float64, error) {
		way, answer, ok := strings.Cut(s.Completion, n.closes)
		if ok && strings.TrimSpace(way) != "" && strings.TrimSpace(answer) != "" && !strings.Contains(answer, n.closes) {
			return 1, nil
		}
		return 0, nil
	})
}

// final is what stands behind the reasoning, all of it where there is none.
func final(text string) (string, bool) {
	closes := notation().closes
	if at := strings.LastIndex(text, closes); at >= 0 {
		text = text[at+len(closes):]
	}
	return strings.TrimSpace(text), true
}

// gold is the right answer of a row.
func gold(reference string) string {
	if a, ok := answer.GSM8K(reference); ok {
		return a
	}
	return strings.TrimSpace(reference)
}

// verifiers are the rewards of reasoning: the right answer and the form.
func verifiers() (right, form reward.Verifier) {
	return reward.Func("accuracy", func(s reward.Sample) (float64, error) {
		if got, _ := final(s.Completion); answer.Equal(got, gold(s.Reference)) {
			return 1, nil
		}
		return 0, nil
	}), notation().verifier()
}

// rewarder lets rollouts be scored by a verifier.
func rewarder(v reward.Verifier) rollout.Rewarder {
	return rollout.Each(v.Name(), func(ctx context.Context, c *rollout.Completion) (float64, error) {
		return v.Verify(ctx, reward.Sample{Prompt: c.Prompt.Text, Completion: c.Text, Reference: c.Prompt.Reference})
	})
}

// accepted is 1 for what is worth imitating: the right answer in the right form.
func accepted() rollout.Rewarder {
	right, form := verifiers()
	return rewarder(reward.Func("right and in form", func(s reward.Sample) (float64, error) {
		a, err := right.Verify(context.Background(), s)
		if err != nil || a == 0 {
			return 0, err
		}
		return form.Verify(context.Background(), s)
	}))
}

// writer is a policy with a generator of its own, and its exam.
type writer struct {
	stages.Exam
	gen *generate.Generator
}

// newWriter prepares a model, with the adapter of that name, to solve problems.
func newWriter(ctx context.Context, m model.Model, adapter string, c *auto.Checkpoint, held []data.Row) (*writer, error) {
	questions, err := eval.Questions(ctx, data.Slice[data.Row](held), eval.QuestionOptions{
		Encoder: c.Tokenizer, Extract: func(text string) (string, bool) { return gold(text), true },
	})
	if err != nil {
		return nil, err
	}
	g, err := generate.New(m, generate.Config{Adapter: adapter, Sequences: 32, Context: flags.MaxLength, Device: flags.Device(), Decode: generate.Text(c.Tokenizer.NewStream)})
	if err != nil {
		return nil, err
	}
	w := &writer{gen: g}
	w.Exam.ExactMatch, err = eval.NewExactMatch(g, questions, eval.ExactMatchOptions{Generate: generate.Options{MaxTokens: *longest}, Extract: final, Equal: answer.Equal})
	return w, err
}
