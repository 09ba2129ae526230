package rlhf_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// lessons are texts of unequal lengths.
func lessons(n int) []rlhf.Text {
	var list []rlhf.Text
	for i, p := range somePrompts(n) {
		x := rlhf.Text{Prompt: p.IDs}
		for t := range 1 + i%4 {
			x.Completion = append(x.Completion, int32((7*i+3*t)%trial.Vocab))
		}
		list = append(list, x)
	}
	return list
}

// The gradient of a step with texts is the gradient without them and, whatever the
// loss divides by, that of c times their mean −log π: twice the weight adds as much
// once more.
func TestTextsAddTheirMeanLogProbability(t *testing.T) {
	for _, l := range []rlhf.Loss{rlhf.GRPO{}, rlhf.DAPO{}, rlhf.DrGRPO{Length: 9}, rlhf.GSPO{}, rlhf.MRT{}, rlhf.PPO{}} {
		t.Run(l.Name(), func(t *testing.T) {
			run := func(coef float64, micro int) trial.Outcome {
				p := adapted(t, trial.Model(t, "llama", tensor.Float64), false)
				o := rlhf.Options{Objective: rlhf.Objective{Policy: l}, Source: someRollouts(1, 4, 4), MicroTokens: micro}
				if coef > 0 {
					o.Taught = rlhf.Taught{Coef: coef, Texts: lessons(7), PerStep: 3}
				}
				return runSteps(t, p, nil, o, trial.Loop(1))
			}
			none, once, twice := run(0, 1024), run(0.5, 1024), run(1, 1024)
			var first, second []float64
			for i := range none.Grads {
				first, second = append(first, once.Grads[i]-none.Grads[i]), append(second, twice.Grads[i]-once.Grads[i])
			}
			trial.Close(t, first, second, layoutTol64, "gradient of the texts")
			assert.InDelta(t, 0.5*once.Last["taught/loss"], once.Losses[0]-none.Losses[0], 1e-9)
			trial.Close(t, once.Grads, run(0.5, 64).Grads, layoutTol64, "in small micro-batches")
			for name, v := range none.Last {
				if name != "loss" && name != "grad_norm" && name != "num_tokens" {
					assert.InDelta(t, v, once.Last[name], 1e-9, name)
				}
			}
		})
	}
}

// PPO-ptx learns its texts while it learns from rewards, and the weight can fade.
func TestTextsAreLearnt(t *testing.T) {
	p := adapted(t, trial.Model(t, "llama", tensor.Float32), true)
	o := ppo(critics["own"](t, p))
	o.Rollout = rollout.Options{Prompts: 4, Completions: 4}
	o.Generate.MaxTokens = 3
	o.Taught = rlhf.Taught{Coef: 1, Fade: 80, Texts: lessons(4)}
	tr, err := rlhf.New(p, somePrompts(6), byLow(), o, trial.Loop(60))
	require.NoError(t, err)
	defer tr.Close()
	var loss, coef []float64
	for s, err := range tr.Steps(t.Context()) {
		require.NoError(t, err)
		v, _ := s.Metrics.Value("taught/loss")
		c, _ := s.Metrics.Value("taught/coef")
		loss, coef = append(loss, v), append(coef, c)
	}
	assert.Less(t, loss[len(loss)-1], loss[0]-1, "nats a token")
	assert.InDelta(t, 1, coef[0], 0)
	assert.InDelta(t, 1-59./80, coef[59], 1e-12)
}

// Minimum risk training reaches its program with whole groups, and gets the same from
// any layout; groups that must be cut are refused.
func TestMinimumRiskSeesWholeGroups(t *testing.T) {
	run := func(micro int) trial.Outcome {
		p := adapted(t, trial.Model(t, "llama", tensor.Float64), false)
		return runSteps(t, p, nil, rlhf.Options{Objective: rlhf.Objective{Policy: rlhf.MRT{Alpha: 0.5}}, Source: someRollouts(1, 5, 4), MicroTokens: micro}, trial.Loop(1))
	}
	want := run(1024)
	trial.Close(t, want.Grads, run(48).Grads, layoutTol64, "gradient")
	p := adapted(t, trial.Model(t, "llama", tensor.Float64), false)
	o := rlhf.Options{Objective: rlhf.Objective{Policy: rlhf.MRT{}}, Source: someRollouts(1, 5, 4), MaxRows: 3}
	_, err := firstStep(t, p, o)
	require.ErrorContains(t, err, "in one micro-batch")
	o.Source, o.MaxRows, o.StepsPerGeneration, o.Sequential = someRollouts(1, 5, 4), 0, 3, true
	_, err = firstStep(t, p, o)
	require.ErrorContains(t, err, "a part of a group")
	require.ErrorContains(t, rlhf.Options{Objective: rlhf.Objective{Policy: rlhf.MRT{}}, MicroRows: 2}.Validate(), "MicroRows")
}

func TestTaughtReportsFaults(t *testing.T) {
	err := rlhf.Options{Taught: rlhf.Taught{Coef: -1, Texts: []rlhf.Text{{}}}}.Validate()
	require.ErrorIs(t, err, rlhf.ErrOptions)
	assert.ErrorContains(t, err, "Coef -1")
	assert.ErrorContains(t, err, "text 0")
	p := adapted(t, trial.Model(t, "llama", tensor.Float64), false)
	loop := trial.Loop(1)
	loop.Denominator = train.PerMicroBatch
	_, err = rlhf.New(p, nil, nil, rlhf.Options{Source: someRollouts(1, 2, 2), Taught: rlhf.Taught{Coef: 1, Texts: lessons(2)}}, loop)
	require.ErrorIs(t, err, rlhf.ErrOptions)
}
