package sft_test

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/sft"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// Tolerances of the fixture's README (trainers, §2): what a careful float32 loop
// differs by from the recorded runs, with room.
const (
	lossTol   = 1e-5   // absolute, losses
	normTol   = 5e-5   // relative, gradient norms
	weightTol = 1.5e-5 // absolute, final weights
	gradTol   = 5e-5   // relative to the largest entry, first clipped gradient
	// metricTol is for means over tokens that the library sums in float32.
	metricTol = 5e-6
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
			Loss   float64         `json:"loss"`
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
			if !strings.HasPrefix(name, "sft_") {
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

// replay runs a recorded run through the public trainer.
func replay(t *testing.T, dir string) {
	var run recorded
	oracle.ReadJSON(t, filepath.Join(dir, "run.json.gz"), &run)
	c, err := auto.Open(filepath.Join(filepath.Dir(dir), run.Model), auto.Options{Weights: tensor.Float32})
	require.NoError(t, err)
	defer c.Close()
	p := sft.Policy{Model: c.Model}
	if run.LoRA != nil {
		p.Adapter, err = lora.Load(c.Model, "default", filepath.Join(dir, "adapter_init"))
		require.NoError(t, err)
	}
	o := sft.Options{MicroTokens: 1024, MaxSegments: 16, MicroMeans: true}
	if run.Args["loss_type"] == "dft" {
		o.Loss = sft.DFT{}
	}
	norm := run.number("max_grad_norm")
	tr, err := sft.New(p, micros(t, &run), o, train.Options{
		Optimizer:   train.AdamW{LR: run.number("learning_rate"), Eps: run.number("adam_epsilon"), WeightDecay: run.number("weight_decay")},
		Schedule:    train.Linear{Warmup: train.Warmup{Steps: int(run.number("warmup_steps"))}},
		MaxGradNorm: &norm, MaxSteps: int(run.number("max_steps")),
	})
	require.NoError(t, err)
	n := 0
	for s, err := range tr.Steps(t.Context()) {
		require.NoError(t, err)
		want := run.Steps[n]
		assert.InDelta(t, want.Logged["loss"], s.Loss, lossTol, "loss of step %d", n)
		assert.InEpsilon(t, want.Logged["grad_norm"], s.GradNorm, normTol, "gradient norm of step %d", n)
		assert.InDelta(t, want.LRUsed, s.LR, 1e-15, "learning rate of step %d", n)
		for _, name := range []string{"entropy", "mean_token_accuracy", "num_tokens"} {
			got, ok := s.Metrics.Value(name)
			require.True(t, ok, name)
			assert.InDelta(t, want.Logged[name], got, metricTol*math.Max(1, math.Abs(got)), "%s of step %d", name, n)
		}
		if n == 0 {
			trial.Gradients(t, dir, tr, train.ClipFactor(s.GradNorm, norm), gradTol)
		}
		n++
	}
	require.Equal(t, len(run.Steps), n)
	trial.Weights(t, dir, tr, weightTol)
}

// micros packs the recorded batches: padding is cut off, rows become segments.
func micros(t *testing.T, run *recorded) *trial.Steps[data.Step] {
	src := &trial.Steps[data.Step]{}
	for _, s := range run.Steps {
		var step data.Step
		for _, m := range s.Micro {
			var p data.Packed
			ids, labels := m.Inputs["input_ids"], m.Inputs["labels"]
			width := ids.Shape[1]
			for row := range ids.Shape[0] {
				lo := row * width
				n := width
				if mask, ok := m.Inputs["attention_mask"]; ok {
					for n > 0 && mask.Data[lo+n-1] == 0 {
						n--
					}
				}
				appendRow(&p, ids.Data[lo:lo+n], labels.Data[lo:lo+n], positions(m.Inputs, lo, n))
			}
			step.Micro = append(step.Micro, p)
			step.Tokens += len(p.Tokens)
		}
		src.List = append(src.List, step)
	}
	require.NotEmpty(t, src.List)
	return src
}

// positions are those of the fixture, or 0, 1, 2, …
func positions(in map[string]grid, lo, n int) []int32 {
	if p, ok := in["position_ids"]; ok {
		return p.Data[lo : lo+n]
	}
	list := make([]int32, n)
	for i := range list {
		list[i] = int32(i)
	}
	return list
}

// appendRow adds a row, cut into segments wherever the position is 0.
func appendRow(p *data.Packed, ids, labels, pos []int32) {
	base := int32(len(p.Tokens))
	for i, id := range ids {
		if pos[i] == 0 && i > 0 {
			p.Ends, p.Prefix, p.Examples = append(p.Ends, base+int32(i)), append(p.Prefix, -1), append(p.Examples, 0)
		}
		p.Tokens, p.Positions = append(p.Tokens, id), append(p.Positions, pos[i])
		if labels[i] >= 0 && pos[i] > 0 {
			p.Rows, p.Targets, p.Weights = append(p.Rows, base+int32(i)-1), append(p.Targets, labels[i]), append(p.Weights, 1)
		}
	}
	p.Ends, p.Prefix, p.Examples = append(p.Ends, base+int32(len(ids))), append(p.Prefix, -1), append(p.Examples, 0)
}
