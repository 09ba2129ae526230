package unpaired_test

import (
	"encoding/json"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/unpaired"
	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// Tolerances of the fixture's README (trainers, §2): what a careful float32 loop
// differs by from the recorded run, with room.
const (
	runLossTol = 1e-5   // absolute, losses
	normTol    = 5e-5   // relative, gradient norms
	weightTol  = 1.5e-5 // absolute, final weights
	gradTol    = 5e-5   // relative to the largest entry, first clipped gradient
	// metricTol, relative to sums of hundreds of nats, is for metrics: TRL adds them
	// up in float32.
	metricTol = 2e-6
	// rewardTol, in nats, is for rewards and z, differences of such sums.
	rewardTol = 1e-4
)

// recorded is run.json.gz, as far as it is needed here.
type recorded struct {
	Model string         `json:"model"`
	Args  map[string]any `json:"args"`
	Steps []struct {
		LRUsed float64            `json:"lr_used"`
		Logged map[string]float64 `json:"logged"`
		Micro  []struct {
			Inputs map[string]grid `json:"inputs"`
		} `json:"micro"`
	} `json:"steps"`
}

// grid is an integer or boolean tensor of a fixture.
type grid struct {
	Shape []int `json:"shape"`
	Data  []cell
}

// cell is a number or a truth value.
type cell int32

// UnmarshalJSON implements json.Unmarshaler.
func (c *cell) UnmarshalJSON(raw []byte) error {
	switch string(raw) {
	case "true":
		*c = 1
		return nil
	case "false":
		*c = 0
		return nil
	}
	var v float64
	err := json.Unmarshal(raw, &v)
	*c = cell(v)
	return err
}

func (r *recorded) number(key string) float64 { v, _ := r.Args[key].(float64); return v }

func TestOracleTrajectory(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "trainers/trajectories/kto") {
		replay(t, root)
		tally.Compared(1)
	}
}

// replay runs the recorded run through the public trainer.
func replay(t *testing.T, dir string) {
	var run recorded
	oracle.ReadJSON(t, filepath.Join(dir, "run.json.gz"), &run)
	open := func() model.Model {
		c, err := auto.Open(filepath.Join(filepath.Dir(dir), run.Model), auto.Options{Weights: tensor.Float32})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, c.Close()) })
		return c.Model
	}
	norm := run.number("max_grad_norm")
	o := unpaired.Options{
		Loss: unpaired.KTO{DesirableWeight: run.number("desirable_weight"), UndesirableWeight: run.number("undesirable_weight")},
		Beta: run.number("beta"), Reference: dpo.Reference{Model: open()}, MicroTokens: 512, MaxRows: 4, MicroMeans: true,
	}
	tr, err := unpaired.New(dpo.Policy{Model: open()}, micros(t, &run), o, train.Options{
		Optimizer: train.AdamW{LR: run.number("learning_rate"), Betas: &[2]float64{run.number("adam_beta1"), run.number("adam_beta2")},
			Eps: run.number("adam_epsilon"), WeightDecay: run.number("weight_decay")},
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
			if name == "loss" || name == "grad_norm" || name == "learning_rate" || name == "epoch" {
				continue
			}
			got, ok := s.Metrics.Value(name)
			require.True(t, ok, name)
			tol := metricTol * math.Max(1, math.Abs(value))
			if strings.HasPrefix(name, "rewards/") || name == "kl" {
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

// micros makes rows of the recorded batches.
func micros(t *testing.T, run *recorded) *trial.Steps[unpaired.Step] {
	src := &trial.Steps[unpaired.Step]{}
	for _, s := range run.Steps {
		var step unpaired.Step
		for _, m := range s.Micro {
			var b unpaired.Batch
			for i := range m.Inputs["input_ids"].Shape[0] {
				prompt, answer := text(m.Inputs, "", i)
				b.Add(unpaired.Row{Prompt: prompt, Completion: answer, Desirable: m.Inputs["label"].Data[i] != 0}, int32(i))
				prompt, answer = text(m.Inputs, "KL_", i)
				b.AddMismatched(prompt, answer, int32(i))
			}
			step.Micro = append(step.Micro, b)
		}
		src.List = append(src.List, step)
	}
	require.NotEmpty(t, src.List)
	return src
}

// text cuts the padding off a row and splits it.
func text(in map[string]grid, prefix string, row int) (prompt, answer []int32) {
	width := in[prefix+"input_ids"].Shape[1]
	for i := row * width; i < (row+1)*width; i++ {
		switch id := int32(in[prefix+"input_ids"].Data[i]); {
		case in[prefix+"attention_mask"].Data[i] == 0:
		case in[prefix+"completion_mask"].Data[i] == 0:
			prompt = append(prompt, id)
		default:
			answer = append(answer, id)
		}
	}
	return prompt, answer
}
