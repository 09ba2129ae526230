package rlhf_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/tensor"
)

// calculator answers each turn with two tokens that depend on what was said, and ends
// the conversation after three turns.
type calculator struct{ calls int }

// Step implements rollout.Environment.
func (e *calculator) Step(_ context.Context, c *rollout.Completion) ([]int32, bool, error) {
	e.calls++
	turns := 1
	for i, tok := range c.Tokens {
		if tok.Role == rollout.Observation && c.Tokens[i-1].Role == rollout.Sampled {
			turns++
		}
	}
	if turns == 3 {
		return nil, true, nil
	}
	return []int32{c.Tokens[0].ID % 7, 11}, false, nil
}

// Conversations with a tool are learnt from: what the tool said is read, carries the
// role of an observation, and is no target; sampler and trainer agree on every token
// the policy said after it.
func TestConversationsAreLearntFrom(t *testing.T) {
	env := &calculator{}
	o := rlhf.Options{
		Environment: env, Observations: 6, Generate: generate.Options{MaxTokens: 9, StopIDs: []int32{20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35}},
		Rollout: rollout.Options{Prompts: 4, Completions: 4}, Objective: rlhf.Objective{Policy: rlhf.DAPO{}},
	}
	tr, err := rlhf.New(adapted(t, trial.Model(t, "gemma3_text", tensor.Float32), false), somePrompts(4), byLow(), o, trial.Loop(2))
	require.NoError(t, err)
	defer tr.Close()
	for _, err := range tr.Steps(t.Context()) {
		require.NoError(t, err) // the first step asserts the log-probabilities
		several, observed := 0, 0
		for _, c := range tr.Rollout().Completions {
			sampled, before := 0, rollout.Sampled
			for k, tok := range c.Tokens {
				if tok.Role == rollout.Sampled {
					sampled++
					if before == rollout.Observation {
						several++
					}
				} else {
					observed++
					assert.Zero(t, c.Advantages[k])
				}
				before = tok.Role
			}
			assert.LessOrEqual(t, sampled, 9)
		}
		assert.Positive(t, several, "some conversations go on after an observation")
		assert.Positive(t, observed)
	}
	assert.Positive(t, env.calls)
}

// broken is an environment that fails.
type broken struct{}

// Step implements rollout.Environment.
func (broken) Step(context.Context, *rollout.Completion) ([]int32, bool, error) {
	return nil, false, errors.New("no such tool")
}

func TestABrokenEnvironmentEndsTheRun(t *testing.T) {
	o := rlhf.Options{Environment: broken{}, Generate: generate.Options{MaxTokens: 6, StopIDs: []int32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}}}
	tr, err := rlhf.New(adapted(t, trial.Model(t, "llama", tensor.Float32), false), somePrompts(4), byLow(), o, trial.Loop(2))
	require.NoError(t, err)
	defer tr.Close()
	for _, err = range tr.Steps(t.Context()) {
	}
	require.ErrorContains(t, err, "no such tool")
}
