package rlhf_test

import (
	"fmt"
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

// Tolerances for the same numbers in another layout, relative to the largest.
const (
	layoutTol64 = 1e-10
	layoutTol32 = 1e-5
)

// objectives are losses with every way to divide.
func objectives() map[string]rlhf.Objective {
	kl := rlhf.KL{Coef: 0.1}
	return map[string]rlhf.Objective{
		"rows":   {Policy: rlhf.GRPO{}, KL: kl, Entropy: 0.02},
		"tokens": {Policy: rlhf.DAPO{}, KL: kl, Entropy: 0.02},
		"groups": {Policy: rlhf.DAPO{Groups: true}, KL: kl},
		"fixed":  {Policy: rlhf.DrGRPO{Length: 8}, Entropy: 0.02},
		"exact":  {Policy: rlhf.GRPO{}, KL: rlhf.KL{Coef: 0.1, Estimator: rlhf.ExactKL}},
		"gspo":   {Policy: rlhf.GSPO{Clip: rlhf.Clip{Low: 0.9, High: 9}}, OffPolicy: 0.3},
	}
}

// The loss is divided once for the whole step: how completions are packed, and
// whether the prompt of a group is computed once, changes nothing. (Trap T1.)
func TestMicroBatchesDoNotMatter(t *testing.T) {
	for name, objective := range objectives() {
		t.Run(name, func(t *testing.T) {
			for _, dt := range []tensor.Dtype{tensor.Float64, tensor.Float32} {
				tol := layoutTol64
				if dt == tensor.Float32 {
					tol = layoutTol32
				}
				run := func(o rlhf.Options) trial.Outcome {
					o.Objective, o.Source, o.MaskTruncated, o.StepsPerGeneration, o.Iterations = objective, someRollouts(1, 5, 4), true, 2, 2
					return runSteps(t, adapted(t, trial.Model(t, "gemma3_text", dt), false), nil, o, trial.Loop(4))
				}
				want := run(rlhf.Options{MicroRows: 1, TopEntropy: 0.4})
				for what, o := range map[string]rlhf.Options{"pairs": {MicroRows: 2}, "packed": {MicroTokens: 40}, "one": {MicroTokens: 4096}, "recomputed": {MicroTokens: 50, Recompute: true}} {
					o.TopEntropy = 0.4
					got := run(o)
					trial.Close(t, want.Losses, got.Losses, tol, what+": loss")
					trial.Close(t, want.Grads, got.Grads, tol, what+": gradient")
				}
			}
		})
	}
}

// Completions belong together by the id of their group: their order does not matter.
// (Trap T17.)
func TestOrderOfCompletionsDoesNotMatter(t *testing.T) {
	run := func(reversed bool) trial.Outcome {
		src := someRollouts(1, 4, 4)
		if list := src.list[0].Completions; reversed {
			for i := range len(list) / 2 {
				list[i], list[len(list)-1-i] = list[len(list)-1-i], list[i]
			}
		}
		return runSteps(t, adapted(t, trial.Model(t, "llama", tensor.Float64), false), nil, rlhf.Options{Source: src, Sequential: true}, trial.Loop(1))
	}
	want, got := run(false), run(true)
	trial.Close(t, want.Losses, got.Losses, layoutTol64, "loss")
	trial.Close(t, want.Grads, got.Grads, layoutTol64, "gradient")
}

// What a tool said is read and never learnt: the ids of observations change the
// hidden states behind them, but no observation is a target. (Trap T12.)
func TestObservationsAreNoTargets(t *testing.T) {
	c := &rollout.Completion{Prompt: &rollout.Prompt{IDs: []int32{4, 5}}, Finish: generate.FinishEOS, Reward: 1, Rewards: []float64{1}}
	for i, id := range []int32{3, 9, 9, 7} {
		tok := rollout.Token{ID: id}
		if i == 1 || i == 2 {
			tok.Role = rollout.Observation
		}
		c.Tokens = append(c.Tokens, tok)
	}
	other := *c
	other.Index, other.Reward = 1, 0
	other.Tokens = append([]rollout.Token{}, c.Tokens...)
	last := other
	last.Tokens = append(append([]rollout.Token{}, c.Tokens...), rollout.Token{ID: 50, Role: rollout.Observation})
	run := func(second *rollout.Completion) trial.Outcome {
		first := *c
		copied := *second
		src := &fixedRollouts{list: []*rollout.Rollout{{Completions: []*rollout.Completion{&first, &copied}, Names: []string{"r"}}}}
		return runSteps(t, adapted(t, trial.Model(t, "llama", tensor.Float64), false), nil, rlhf.Options{Source: src, Objective: rlhf.Objective{Policy: rlhf.DAPO{}}}, trial.Loop(1))
	}
	want := run(&other)
	got := run(&last) // an observation behind the last sampled token teaches nothing
	trial.Close(t, want.Grads, got.Grads, layoutTol64, "gradient")
}

// Empty completions, completions of one token and rewards that are all equal.
func TestEdgesOfCompletions(t *testing.T) {
	completions := func(lengths ...int) *fixedRollouts {
		p := &rollout.Prompt{IDs: []int32{1, 2, 3}}
		r := &rollout.Rollout{Names: []string{"r"}}
		for i, n := range lengths {
			c := &rollout.Completion{Prompt: p, Index: i, Reward: float64(i), Rewards: []float64{float64(i)}, Finish: generate.FinishEOS}
			for k := range n {
				c.Tokens = append(c.Tokens, rollout.Token{ID: int32(5 + k + i)})
			}
			r.Completions = append(r.Completions, c)
		}
		return &fixedRollouts{list: []*rollout.Rollout{r}}
	}
	run := func(src *fixedRollouts) trial.Outcome {
		return runSteps(t, adapted(t, trial.Model(t, "llama", tensor.Float64), false), nil, rlhf.Options{Source: src}, trial.Loop(1))
	}
	one := run(completions(1, 1))
	assert.NotZero(t, norm(one.Grads))
	empty := run(completions(0, 1, 0))
	assert.InDelta(t, 1.0/3, empty.Last["completions/mean_length"], 1e-12)
	assert.Zero(t, norm(empty.Grads), "the middle one has the mean reward")
	nothing := run(completions(0, 0))
	assert.Zero(t, norm(nothing.Grads))
	assert.Zero(t, nothing.Losses[0])
	equal := completions(3, 2)
	for _, c := range equal.list[0].Completions {
		c.Reward = 0.1
	}
	flat := run(equal)
	assert.Zero(t, norm(flat.Grads))
	assert.Equal(t, 1.0, flat.Last["frac_reward_zero_std"])
}

// norm is the largest absolute value.
func norm(x []float64) float64 {
	most := 0.0
	for _, v := range x {
		most = max(most, v, -v)
	}
	return most
}

// A completion without any known reward teaches nothing and costs no other's.
func TestUnknownRewards(t *testing.T) {
	src := someRollouts(1, 3, 4)
	for i, c := range src.list[0].Completions {
		if i%4 == 1 || i >= 8 {
			c.Reward, c.Rewards = rollout.Unknown(), []float64{rollout.Unknown()}
		}
	}
	out := runSteps(t, adapted(t, trial.Model(t, "llama", tensor.Float32), false), nil, rlhf.Options{Source: src}, trial.Loop(1))
	assert.NotZero(t, norm(out.Grads))
	for i, c := range src.list[0].Completions {
		if i%4 == 1 || i >= 8 {
			for _, a := range c.Advantages {
				require.Zero(t, a)
			}
		}
	}
	assert.InDelta(t, 6.0/12, out.Last["rewards/any/unknown"], 1e-12)
}

// A sampler's correction multiplies the policy's part, and what it drops is logged.
// (Traps T37 and T38.)
func TestCorrectionWeighsAndTells(t *testing.T) {
	for mode, name := range map[advantage.Correction]string{advantage.TokenTruncate: "truncate", advantage.TokenMask: "mask", advantage.SequenceMask: "sequence"} {
		out := runSteps(t, adapted(t, trial.Model(t, "llama", tensor.Float32), false), nil,
			rlhf.Options{Source: someRollouts(1, 3, 4), Correction: rlhf.Correction{Mode: mode, Bounds: advantage.Bounds{Min: 0.2, Max: 0.9}}}, trial.Loop(1))
		kept, ok := out.Last["sampling/kept"]
		require.True(t, ok, name)
		if mode == advantage.TokenTruncate {
			assert.Equal(t, 1.0, kept)
			assert.LessOrEqual(t, out.Last["sampling/importance_sampling_ratio/max"], 0.9)
			assert.GreaterOrEqual(t, out.Last["sampling/importance_sampling_ratio/min"], 0.2)
		} else {
			assert.Less(t, kept, 1.0, name)
		}
		assert.Positive(t, out.Last["sampling/sampling_logp_difference/mean"])
	}
}

// Neither the number of threads nor capacities change a bit, sampling included.
func TestPlansDoNotChangeResults(t *testing.T) {
	one, three := tensor.NewDevice(1), tensor.NewDevice(3)
	defer one.Close()
	defer three.Close()
	run := func(o rlhf.Options) trial.Outcome {
		o.Rollout = rollout.Options{Prompts: 3, Completions: 4}
		o.Generate.MaxTokens, o.Objective.KL.Coef, o.Iterations = 6, 0.05, 2
		return runSteps(t, adapted(t, trial.Model(t, "gemma3_text", tensor.Float32), false), somePrompts(7), o, trial.Loop(4))
	}
	want := run(rlhf.Options{Device: one})
	for what, o := range map[string]rlhf.Options{"threads": {Device: three}, "recomputation": {Device: one, Recompute: true}, "rows": {Device: one, MaxRows: 30}} {
		t.Run(fmt.Sprint(what), func(t *testing.T) {
			got := run(o)
			assert.Equal(t, want.Losses, got.Losses)
			assert.Equal(t, want.Values, got.Values)
		})
	}
}
