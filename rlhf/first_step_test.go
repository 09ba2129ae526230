package rlhf_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// The first step is on policy: sampler and trainer agree at every temperature (trap
// T6), ratios are 1, the KL is 0 and nothing is clipped (traps T25, T26, T33).
func TestFirstStepIsOnPolicy(t *testing.T) {
	for _, family := range trial.Families() {
		for _, g := range []generate.Options{{}, {Temperature: 0.5}, {Temperature: 2}, {TopK: 9, TopP: 0.9}} {
			for _, full := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/T%g/%t", family, g.Temperature, full), func(t *testing.T) {
					g.MaxTokens = 8
					p := rlhf.Policy{Model: trial.Model(t, family, tensor.Float32)}
					if !full {
						p = adapted(t, p.Model, false)
					}
					out := runSteps(t, p, somePrompts(4), rlhf.Options{
						Objective: rlhf.Objective{Policy: rlhf.GRPO{Clip: rlhf.Clip{Low: 1e-3}}, KL: rlhf.KL{Coef: 0.1}}, Generate: g, Iterations: 2, Rollout: rollout.Options{Prompts: 4, Completions: 4},
					}, trial.Loop(1))
					assert.InDelta(t, 0, out.Last["kl"], 1e-8)
					assert.Zero(t, out.Last["clip_ratio/region_mean"])
					if g.TopK == 0 {
						assert.Less(t, out.Last["sampling/sampling_logp_difference/max"], 1e-5*10)
					} else {
						// Truncated sampling is another distribution (trap T5): it is told.
						assert.Greater(t, out.Last["sampling/sampling_logp_difference/mean"], 1e-3)
					}
				})
			}
		}
	}
}

// A source whose log-probabilities are not those of the policy is refused, as is a
// reference that is not the policy at its start.
func TestFirstStepRefusesOtherPolicies(t *testing.T) {
	src := someRollouts(1, 3, 4)
	for _, c := range src.list[0].Completions {
		for range c.Tokens {
			c.Old = append(c.Old, -1)
		}
	}
	p := adapted(t, trial.Model(t, "llama", tensor.Float32), false)
	_, err := firstStep(t, p, rlhf.Options{Source: src, Iterations: 2})
	require.ErrorIs(t, err, rlhf.ErrFirstStep)
	assert.ErrorContains(t, err, "log-ratio to the policy")

	src = someRollouts(1, 3, 4)
	for _, c := range src.list[0].Completions {
		for range c.Tokens {
			c.Ref = append(c.Ref, -1)
		}
	}
	_, err = firstStep(t, p, rlhf.Options{Source: src, Objective: rlhf.Objective{KL: rlhf.KL{Coef: 0.1}}})
	require.ErrorIs(t, err, rlhf.ErrFirstStep)
	assert.ErrorContains(t, err, "reference")
}

func firstStep(t *testing.T, p rlhf.Policy, o rlhf.Options) (*rlhf.Trainer, error) {
	t.Helper()
	tr, err := rlhf.New(p, nil, nil, o, trial.Loop(1))
	require.NoError(t, err)
	for _, err := range tr.Steps(t.Context()) {
		return tr, err
	}
	return tr, nil
}

// The reference is the policy at the start, whatever it is made of: at a later step
// the KL is the same against a copy of the model that was left alone.
func TestReferenceIsTheStart(t *testing.T) {
	for _, kind := range []string{"full", "zero adapter", "adapter"} {
		t.Run(kind, func(t *testing.T) {
			open := func() rlhf.Policy {
				m := trial.Model(t, "qwen3", tensor.Float64)
				switch kind {
				case "adapter":
					return adapted(t, m, false)
				case "zero adapter":
					return adapted(t, m, true)
				}
				return rlhf.Policy{Model: m}
			}
			run := func(ref rlhf.Reference) trial.Outcome {
				return runSteps(t, open(), nil, rlhf.Options{Source: someRollouts(2, 3, 4), Iterations: 2, Reference: ref, Objective: rlhf.Objective{KL: rlhf.KL{Coef: 0.2}}}, trial.Loop(4))
			}
			frozen := open()
			want := run(rlhf.Reference{Model: frozen.Model, Adapter: frozen.AdapterName()})
			got := run(rlhf.Reference{})
			assert.Positive(t, got.Last["kl"])
			trial.Close(t, want.Losses, got.Losses, layoutTol64, "loss")
			trial.Close(t, want.Values, got.Values, layoutTol64, "weights")
		})
	}
}

// The policy learns what is rewarded, from a model that knows nothing.
func TestLearnsFromARule(t *testing.T) {
	for name, o := range map[string]rlhf.Options{
		"grpo":        {},
		"dapo":        {Objective: rlhf.Objective{Policy: rlhf.DAPO{}}, Rollout: rollout.Options{MaxRounds: 3}},
		"rloo":        {Objective: rlhf.Objective{Policy: rlhf.RLOO{}}, Advantages: rlhf.LeaveOneOutAdvantages{}, KLInReward: rlhf.KLInReward{Coef: 0.01, Estimator: rlhf.K1}},
		"reinforce++": {Objective: rlhf.Objective{Policy: rlhf.DAPO{}}, Advantages: rlhf.ReinforcePPAdvantages{}},
		"remax":       {Objective: rlhf.Objective{Policy: rlhf.REINFORCE{}}, Advantages: rlhf.GreedyAdvantages{}, Rollout: rollout.Options{Greedy: true}},
		"two passes":  {Iterations: 2, Rollout: rollout.Options{Replay: 4}},
	} {
		t.Run(name, func(t *testing.T) {
			o.Rollout.Prompts, o.Rollout.Completions, o.Generate.MaxTokens = 4, 8, 3
			p := adapted(t, trial.Model(t, "llama", tensor.Float32), true)
			loop := trial.Loop(60)
			loop.Optimizer = train.AdamW{LR: 3e-2}
			tr, err := rlhf.New(p, somePrompts(6), byLow(), o, loop)
			require.NoError(t, err)
			defer tr.Close()
			var rewards []float64
			for s, err := range tr.Steps(t.Context()) {
				require.NoError(t, err)
				if r, ok := s.Metrics.Value("reward"); ok {
					rewards = append(rewards, r)
				}
			}
			// Dynamic sampling and replay keep groups without spread out of the mean, which
			// so stays below 1.
			first, last := mean(rewards[:5]), mean(rewards[len(rewards)-5:])
			assert.Less(t, first, 0.5)
			assert.Greater(t, last, first+0.3, "from %g", first)
		})
	}
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// Prompts that leave no room in the model's context are refused before anything
// is computed, and so is a plan that does not fit in memory.
func TestNewRefusesWhatCannotWork(t *testing.T) {
	p := adapted(t, trial.Model(t, "llama", tensor.Float32), true)
	long := somePrompts(3)
	long[1].IDs, long[1].At.Line = make([]int32, 60), 7
	_, err := rlhf.New(p, long, byLow(), rlhf.Options{Generate: generate.Options{MaxTokens: 8}}, trial.Loop(1))
	require.ErrorIs(t, err, generate.ErrPromptTooLong)
	assert.ErrorContains(t, err, "60 tokens")
	_, err = rlhf.New(p, nil, byLow(), rlhf.Options{}, trial.Loop(1))
	require.ErrorIs(t, err, rollout.ErrNoPrompts)
	_, err = rlhf.New(p, somePrompts(2), byLow(), rlhf.Options{MemoryLimit: 1 << 10, Generate: generate.Options{MaxTokens: 8}}, trial.Loop(1))
	require.ErrorIs(t, err, rlhf.ErrMemory)
	assert.ErrorContains(t, err, "cache")
	_, err = rlhf.New(p, somePrompts(2), nil, rlhf.Options{Generate: generate.Options{MaxTokens: 8}}, trial.Loop(1))
	require.ErrorIs(t, err, rollout.ErrOptions)
	var none model.Model
	_, err = rlhf.New(rlhf.Policy{Model: none}, somePrompts(2), byLow(), rlhf.Options{}, trial.Loop(1))
	require.Error(t, err)
}

func TestOptionsReportEveryFault(t *testing.T) {
	err := rlhf.Options{
		Objective: rlhf.Objective{OffPolicy: -1}, KLInReward: rlhf.KLInReward{Coef: -1, Estimator: rlhf.ExactKL}, RewardClip: rlhf.RewardClip{Low: 2, High: 1},
		Correction: rlhf.Correction{Mode: 99}, StepsPerGeneration: 1000, MicroTokens: -1, Rollout: rollout.Options{Completions: -2}, Generate: generate.Options{TopP: 3},
		Reference: rlhf.Reference{Adapter: "x"},
	}.Validate()
	require.ErrorIs(t, err, rlhf.ErrOptions)
	for _, part := range []string{"OffPolicy", "KLInReward", "RewardClip", "Correction", "StepsPerGeneration", "MicroTokens", "Completions", "TopP", "Reference"} {
		assert.ErrorContains(t, err, part)
	}
	require.NoError(t, rlhf.Options{}.Validate())
}
