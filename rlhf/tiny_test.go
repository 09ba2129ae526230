package rlhf_test

import (
	"context"
	"io"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/train"
)

// adapted is a policy with an adapter, zero or not.
func adapted(t testing.TB, m model.Model, zero bool) rlhf.Policy {
	t.Helper()
	return rlhf.Policy{Model: m, Adapter: trial.Adapter(t, m, lora.Config{}, zero)}
}

// somePrompts are n prompts of unequal lengths.
func somePrompts(n int) []rollout.Prompt {
	rng := rand.New(rand.NewPCG(5, 6))
	list := make([]rollout.Prompt, n)
	for i := range list {
		list[i].IDs = trial.IDs(rng, 1+i*5%9, trial.Vocab-1)
	}
	return list
}

// low rewards completions that begin with a small id.
var low = rollout.Each("low", func(_ context.Context, c *rollout.Completion) (float64, error) {
	if len(c.Tokens) > 0 && c.Tokens[0].ID < 10 {
		return 1, nil
	}
	return 0, nil
})

func byLow() []rollout.Reward { return []rollout.Reward{{By: low}} }

// someRollouts are rollouts of random completions: groups of g for each of n prompts.
// Lengths are unequal, some 0 or 1, and some completions hold observations.
func someRollouts(count, n, g int) *fixedRollouts {
	rng := rand.New(rand.NewPCG(7, 8))
	prompts := somePrompts(n)
	src := &fixedRollouts{}
	for k := range count {
		r := &rollout.Rollout{Number: int64(k), Names: []string{"any"}, Rounds: 1, Epoch: float64(k + 1)}
		for i := range prompts {
			for j := range g {
				c := &rollout.Completion{Group: int64(k*n + i), Index: j, Prompt: &prompts[i], Finish: generate.FinishEOS, Reward: float64(rng.IntN(4))}
				c.Rewards = []float64{c.Reward}
				if (i+j)%5 == 0 {
					c.Finish = generate.FinishLength
				}
				for t := range (i + 3*j) % 7 {
					tok := rollout.Token{ID: rng.Int32N(trial.Vocab), LogProb: math.NaN(), SamplerLogProb: -3 - rng.Float64()}
					if t == 2 && j%2 == 1 {
						tok.Role, tok.SamplerLogProb = rollout.Observation, 0
					}
					c.Tokens = append(c.Tokens, tok)
				}
				r.Completions = append(r.Completions, c)
			}
		}
		src.list = append(src.list, r)
	}
	return src
}

// fixedRollouts yields rollouts that are there.
type fixedRollouts struct {
	list []*rollout.Rollout
	at   int
}

// Next implements rlhf.Source.
func (s *fixedRollouts) Next(context.Context, int64) (*rollout.Rollout, error) {
	if s.at == len(s.list) {
		return nil, io.EOF
	}
	s.at++
	return s.list[s.at-1], nil
}

// runSteps trains to the end.
func runSteps(t testing.TB, p rlhf.Policy, prompts []rollout.Prompt, o rlhf.Options, loop train.Options) trial.Outcome {
	t.Helper()
	var rewards []rollout.Reward
	if prompts != nil {
		rewards = byLow()
	}
	tr, err := rlhf.New(p, prompts, rewards, o, loop)
	require.NoError(t, err)
	defer tr.Close()
	return trial.Run(t, tr)
}
