package rlhf_test

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/advantage"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/tensor"
)

// Card E2 through the trainer: answers of three tokens that are rewarded only when all
// are right are never found by chance (61³ of them); given at first and then fewer and
// fewer of their tokens, they are learnt, and at the end nothing is given any more.
func TestMixerLearnsAnswersThatChanceDoesNotFind(t *testing.T) {
	const steps, warm, length = 90, 50, 3
	prompts := somePrompts(2)
	answer := func(p *rollout.Prompt) []int32 { return []int32{p.IDs[0], 17, p.IDs[len(p.IDs)-1]} }
	exact := rollout.Each("exact", func(_ context.Context, c *rollout.Completion) (float64, error) {
		if slices.Equal(c.IDs(), answer(c.Prompt)) {
			return 1, nil
		}
		return 0, nil
	})
	run := func(mixed bool) (last float64, given int) {
		p := adapted(t, trial.Model(t, "llama", tensor.Float32), true)
		gen, err := generate.New(p.Model, generate.Config{Adapter: p.AdapterName(), Sequences: 16, Context: 24})
		require.NoError(t, err)
		defer gen.Close()
		o := rlhf.Options{Objective: rlhf.Objective{Policy: rlhf.REINFORCE{}}, Rollout: rollout.Options{Prompts: 2, Completions: 8}, Generate: generate.Options{MaxTokens: length}}
		o.Sampler = rollout.FromModel(gen, o.Generate)
		if mixed {
			schedule := advantage.MixerSchedule{Length: length, Delta: 1, WarmUp: warm, EpochsAStep: 10}
			o.Sampler = rollout.Mixer{Rest: short{gen, func(v int64) int { return length - schedule.TaughtTokens(int(v)) }}, Answer: answer, Give: func(v int64) int { return schedule.TaughtTokens(int(v)) }}
			o.Taught = rlhf.Taught{Coef: 1}
		}
		tr, err := rlhf.New(p, prompts, []rollout.Reward{{By: exact}}, o, trial.Loop(steps))
		require.NoError(t, err)
		defer tr.Close()
		for s, err := range tr.Steps(t.Context()) {
			require.NoError(t, err)
			last, _ = s.Metrics.Value("reward")
		}
		for _, c := range tr.Rollout().Completions {
			for _, tok := range c.Tokens {
				if tok.Role == rollout.Given {
					given++
				}
			}
		}
		return last, given
	}
	scratch, _ := run(false)
	mixed, given := run(true)
	t.Logf("reward %.2f from scratch, %.2f with MIXER", scratch, mixed)
	assert.Zero(t, scratch)
	assert.Zero(t, given)
	assert.Greater(t, mixed, 0.8)
}

// short samples what is left of a fixed length.
type short struct {
	gen  *generate.Generator
	left func(version int64) int
}

// Sample implements rollout.Sampler.
func (s short) Sample(ctx context.Context, r rollout.Request) ([]*rollout.Completion, error) {
	return rollout.FromModel(s.gen, generate.Options{MaxTokens: s.left(r.Version)}).Sample(ctx, r)
}
