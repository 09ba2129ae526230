package main

import (
	"context"

	"github.com/posttrain/posttrain/data/tokenizer"
	"github.com/posttrain/posttrain/eval"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/train"
)

// exam lets the policy solve held-out problems with the tool at hand, greedily.
type exam struct {
	sampler  rollout.Sampler
	prompts  []*rollout.Prompt
	verifier reward.Verifier
	words    *tokenizer.Tokenizer
}

func newExam(s rollout.Sampler, in *inputs, words *tokenizer.Tokenizer) *exam {
	e := &exam{sampler: s, verifier: in.verifier, words: words}
	for i := range in.held {
		e.prompts = append(e.prompts, &in.held[i])
	}
	return e
}

// Evaluate implements train.Evaluator.
func (e *exam) Evaluate(ctx context.Context, m *train.Metrics) error {
	list, err := e.sampler.Sample(ctx, rollout.Request{Prompts: e.prompts, Completions: 1})
	if err != nil {
		return err
	}
	right, called := 0, 0
	for i, c := range list {
		c.Prompt = e.prompts[i]
		r, err := e.score(ctx, c)
		if err != nil {
			return err
		}
		right += int(r)
		called += min(1, calls(c))
	}
	n := len(list)
	ci := eval.Wilson(right, n, 0.95)
	m.Set("accuracy", float64(right)/float64(n))
	m.Set("accuracy_low", ci.Low)
	m.Set("accuracy_high", ci.High)
	m.Set("tool_call_share", float64(called)/float64(n))
	return nil
}

// score is 1 for the right answer after the last reply.
func (e *exam) score(ctx context.Context, c *rollout.Completion) (float64, error) {
	return e.verifier.Verify(ctx, reward.Sample{Prompt: c.Prompt.Text, Completion: calculator{e.words}.lastTurn(c), Reference: c.Prompt.Reference})
}

// rewards are what the policy learns from, the right answer, and, for the log alone,
// whether it called the tool.
func (e *exam) rewards() []rollout.Reward {
	called := rollout.Each("called", func(_ context.Context, c *rollout.Completion) (float64, error) { return float64(min(1, calls(c))), nil })
	return []rollout.Reward{{By: rollout.Each(e.verifier.Name(), e.score)}, {By: called, Silent: true}}
}
