package dpo_test

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// Tolerances of the fixture's README (trainers, §2): what a careful float32 loop
// differs by from the recorded runs, with room.
const (
	runLossTol = 1e-5   // absolute, losses
	normTol    = 5e-5   // relative, gradient norms
	weightTol  = 1.5e-5 // absolute, final weights
	gradTol    = 5e-5   // relative to the largest entry, first clipped gradient
	// metricTol, relative to sums of hundreds of nats, is for metrics: TRL adds them
	// up in float32.
	metricTol = 2e-6
	// rewardTol, in nats, is for rewards, β times a difference of such sums.
	rewardTol = 5e-5
)

// recorded is run.json.gz, as far as it is needed here.
type recorded struct {
	Trainer string         `json:"trainer"`
	Model   string         `json:"model"`
	Args    map[string]any `json:"args"`
	LoRA    *struct{}      `json:"lora"`
	Steps   []struct {
		LRUsed float64            `json:"lr_used"`
		Logged map[string]float64 `json:"logged"`
		Micro  []struct {
			Inputs map[string]grid `json:"inputs"`
		} `json:"micro"`
	} `json:"steps"`
}

// grid is an integer tensor of a fixture.
type grid struct {
	Shape []int   `json:"shape"`
	Data  []int32 `json:"data"`
}

func (r *recorded) number(key string) float64 { v, _ := r.Args[key].(float64); return v }

func TestOracleTrajectories(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "trainers/trajectories") {
		runs, err := filepath.Glob(filepath.Join(root, "*", "run.json.gz"))
		require.NoError(t, err)
		for _, path := range runs {
			name := filepath.Base(filepath.Dir(path))
			if !strings.HasPrefix(name, "dpo_") && name != "orpo" && name != "cpo_simpo" {
				tally.Skip(name, "not a run of this package")
				continue
			}
			t.Run(name, func(t *testing.T) {
				replay(t, filepath.Dir(path))
				tally.Compared(1)
			})
		}
	}
}

// policy opens the run's policy, and the options with its reference.
func (r *recorded) policy(t *testing.T, dir string) (dpo.Policy, dpo.Options) {
	open := func() *auto.Checkpoint {
		c, err := auto.Open(filepath.Join(filepath.Dir(dir), r.Model), auto.Options{Weights: tensor.Float32})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, c.Close()) })
		return c
	}
	p := dpo.Policy{Model: open().Model}
	o := dpo.Options{MicroTokens: 1024, MaxPairs: 8, MicroMeans: true, Beta: r.number("beta")}
	switch kinds, _ := r.Args["loss_type"].([]any); {
	case r.Trainer == "orpo":
		o.Loss = dpo.ORPO{}
		return p, o
	case r.Trainer == "cpo":
		o.Loss = dpo.SimPO{Margin: new(r.number("simpo_gamma"))}
		return p, o
	case kinds[0] == "ipo":
		o.Loss = dpo.IPO{}
	}
	if r.LoRA == nil {
		o.Reference.Model = open().Model
		return p, o
	}
	var err error
	p.Adapter, err = lora.Load(p.Model, "default", filepath.Join(dir, "adapter_init"))
	require.NoError(t, err)
	o.Reference.Base = true
	return p, o
}

// replay runs a recorded run through the public trainer.
func replay(t *testing.T, dir string) {
	var run recorded
	oracle.ReadJSON(t, filepath.Join(dir, "run.json.gz"), &run)
	p, o := run.policy(t, dir)
	norm := run.number("max_grad_norm")
	tr, err := dpo.New(p, micros(t, &run), o, train.Options{
		Optimizer:   train.AdamW{LR: run.number("learning_rate"), Eps: run.number("adam_epsilon"), WeightDecay: run.number("weight_decay")},
		Schedule:    train.Linear{Warmup: train.Warmup{Steps: int(run.number("warmup_steps"))}},
		MaxGradNorm: &norm, MaxSteps: int(run.number("max_steps")), Denominator: train.PerMicroBatch,
	})
	require.NoError(t, err)
	n := 0
	for s, err := range tr.Steps(t.Context()) {
		require.NoError(t, err)
		want := run.Steps[n]
		assert.InDelta(t, want.Logged["loss"], s.Loss, runLossTol, "loss of step %d", n)
		assert.InEpsilon(t, want.Logged["grad_norm"], s.GradNorm, normTol, "gradient norm of step %d", n)
		assert.InDelta(t, want.LRUsed, s.LR, 1e-15, "learning rate of step %d", n)
		for name, value := range want.Logged {
			if name == "loss" || name == "grad_norm" || name == "learning_rate" || name == "epoch" || run.skips(name) {
				continue
			}
			got, ok := s.Metrics.Value(name)
			require.True(t, ok, name)
			tol := metricTol * math.Max(1, math.Abs(value))
			if strings.HasPrefix(name, "rewards/") {
				tol = rewardTol
			}
			assert.InDelta(t, value, got, tol, "%s of step %d", name, n)
		}
		if n == 0 {
			trial.Gradients(t, dir, tr, train.ClipFactor(s.GradNorm, norm), gradTol)
		}
		n++
	}
	require.Equal(t, len(run.Steps), n)
	trial.Weights(t, dir, tr, weightTol)
}

// skips says which metrics cannot be compared: the mean logits of CPO and ORPO are
// over prompts and padding too, and SimPO has no supervised term that CPO logs as 0.
func (r *recorded) skips(name string) bool {
	if r.Trainer == "dpo" {
		return false
	}
	return strings.HasPrefix(name, "logits/") || r.Trainer == "cpo" && name == "nll_loss"
}

// micros makes pairs of the recorded batches. DPO's first half is chosen rows; CPO
// and ORPO keep chosen and rejected rows apart.
func micros(t *testing.T, run *recorded) *trial.Steps[dpo.Step] {
	src := &trial.Steps[dpo.Step]{}
	for _, s := range run.Steps {
		var step dpo.Step
		for _, m := range s.Micro {
			var b dpo.Batch
			chosen, rejected := "", ""
			rows, half := 0, 0
			if run.Trainer == "dpo" {
				rows = m.Inputs["input_ids"].Shape[0] / 2
				half = rows
			} else {
				chosen, rejected = "chosen_", "rejected_"
				rows = m.Inputs["chosen_input_ids"].Shape[0]
			}
			for i := range rows {
				prompt, good := text(m.Inputs, chosen, i)
				again, bad := text(m.Inputs, rejected, i+half)
				require.Equal(t, prompt, again)
				b.Add(dpo.Pair{Prompt: prompt, Chosen: good, Rejected: bad}, int32(i))
			}
			step.Micro = append(step.Micro, b)
		}
		src.List = append(src.List, step)
	}
	require.NotEmpty(t, src.List)
	return src
}

// text cuts the padding off a row and splits it: by the completion mask, or by
// labels that are negative in the prompt.
func text(in map[string]grid, side string, row int) (prompt, answer []int32) {
	width := in[side+"input_ids"].Shape[1]
	for i := row * width; i < (row+1)*width; i++ {
		id := in[side+"input_ids"].Data[i]
		inPrompt := side != "" && in[side+"labels"].Data[i] < 0 || side == "" && in["completion_mask"].Data[i] == 0
		switch {
		case in[side+"attention_mask"].Data[i] == 0:
		case inPrompt:
			prompt = append(prompt, id)
		default:
			answer = append(answer, id)
		}
	}
	return prompt, answer
}
