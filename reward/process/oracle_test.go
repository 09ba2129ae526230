package process_test

import (
	"encoding/json"
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/reward/process"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// Tolerances of the fixture's README (trainers, §1 and §2).
const (
	loss64Tol  = 1e-12  // relative to the largest number, with the floor
	loss32Tol  = 1e-5   // the same in float32
	lossFloor  = 1e-6   // the fixture's own
	runLossTol = 1e-5   // absolute, losses
	normTol    = 5e-5   // relative, gradient norms
	weightTol  = 1.5e-5 // absolute, final weights
	gradTol    = 5e-5   // relative to the largest entry, first clipped gradient
	unlabelled = -100   // the label of tokens that do not count
)

// array is a tensor of a fixture.
type array struct {
	Shape []int     `json:"shape"`
	Data  []float64 `json:"data"`
}

// number may be written as a string, such as "NaN".
type number float64

// UnmarshalJSON reads both.
func (n *number) UnmarshalJSON(raw []byte) error {
	if string(raw) == `"NaN"` {
		*n = number(math.NaN())
		return nil
	}
	return json.Unmarshal(raw, (*float64)(n))
}

// lossCase is a case of losses/prm.json.gz.
type lossCase struct {
	ID     string `json:"id"`
	Params struct {
		UseNumItems bool `json:"use_num_items"`
	} `json:"params"`
	Inputs  map[string]array `json:"inputs"`
	Outputs struct {
		Loss  number           `json:"loss"`
		Grads map[string]array `json:"grads"`
		Extra map[string]array `json:"extra"`
	} `json:"outputs"`
}

func TestOracleLoss(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "trainers/losses") {
		var file struct {
			Cases []lossCase `json:"cases"`
		}
		oracle.ReadJSON(t, filepath.Join(root, "prm.json.gz"), &file)
		for i := range file.Cases {
			t.Run(file.Cases[i].ID, func(t *testing.T) {
				compareLoss(t, &file.Cases[i], tensor.Float64, loss64Tol)
				compareLoss(t, &file.Cases[i], tensor.Float32, loss32Tol)
				tally.Compared(1)
			})
		}
	}
}

func compareLoss(t *testing.T, c *lossCase, dt tensor.Dtype, tol float64) {
	b, places := chains(c.Inputs["labels"])
	logits := c.Inputs["logits"].Data
	var outputs []float64
	for _, at := range places {
		outputs = append(outputs, logits[2*at], logits[2*at+1])
	}
	room := reward.Capacity{Tokens: 64, Groups: 4, Answers: 4, Rows: 32}
	x, err := reward.NewCalculator(process.Loss{}, room, 2, dt)
	require.NoError(t, err)
	values, gradient, err := x.At(b, outputs)
	require.NoError(t, err)
	n, total := float64(len(places)), 0.0
	if c.Params.UseNumItems {
		n = c.Outputs.Extra["num_items_in_batch"].Data[0]
	}
	for _, v := range values {
		total += v
	}
	if want := float64(c.Outputs.Loss); math.IsNaN(want) {
		assert.True(t, math.IsNaN(total/n), "the fixture's 0/0; the trainer skips such a micro-batch")
	} else {
		assert.InDelta(t, want, total/n, tol*max(lossFloor, math.Abs(want)))
	}
	want := c.Outputs.Grads["logits"].Data
	got := make([]float64, len(want))
	for i, at := range places {
		got[2*at], got[2*at+1] = gradient[2*i]/n, gradient[2*i+1]/n
	}
	size := lossFloor
	for _, v := range want {
		size = max(size, math.Abs(v))
	}
	for i := range want {
		assert.InDelta(t, want[i], got[i], tol*size, "gradient %d", i)
	}
}

// chains makes a micro-batch of the rows of labels, and lists the places of those
// that count. Rows without a label are left out.
func chains(labels array) (*reward.Batch, []int) {
	b, width := &reward.Batch{}, labels.Shape[1]
	b.Reset()
	var places []int
	for row := range labels.Shape[0] {
		c := reward.Candidate{IDs: make([]int32, width)}
		for i, y := range labels.Data[row*width : (row+1)*width] {
			if y != unlabelled {
				c.Marks = append(c.Marks, reward.Mark{Token: i, Label: y})
				places = append(places, row*width+i)
			}
		}
		if len(c.Marks) > 0 {
			b.Add(reward.Group{Answers: []reward.Candidate{c}}, reward.MarkedTokens, int32(row))
		}
	}
	return b, places
}

// recorded is run.json.gz, as far as it is needed here.
type recorded struct {
	Model string         `json:"model"`
	Args  map[string]any `json:"args"`
	Rows  []struct {
		Prompt      string   `json:"prompt"`
		Completions []string `json:"completions"`
		Labels      []bool   `json:"labels"`
	} `json:"rows"`
	Steps []struct {
		LRUsed float64            `json:"lr_used"`
		Logged map[string]float64 `json:"logged"`
		Micro  []struct {
			Inputs map[string]array `json:"inputs"`
		} `json:"micro"`
	} `json:"steps"`
}

func (r *recorded) number(key string) float64 { v, _ := r.Args[key].(float64); return v }

// groups are the recorded texts, whose tokenisation is ours.
func (r *recorded) groups(t *testing.T, c *auto.Checkpoint) map[string]reward.Group {
	var rows data.Slice[data.StepRow]
	for _, row := range r.Rows {
		rows = append(rows, data.StepRow{Prompt: row.Prompt, Completions: row.Completions, Labels: row.Labels})
	}
	list, report, err := process.Prepare(t.Context(), process.Rows(rows), c.Tokenizer, process.PrepareOptions{MaxLength: int(r.number("max_length"))})
	require.NoError(t, err)
	require.Equal(t, len(rows), report.Kept, report)
	byText := map[string]reward.Group{}
	for _, g := range list {
		byText[name(append(append([]int32{}, g.Prompt...), g.Answers[0].IDs...))] = g
	}
	return byText
}

func name(ids []int32) string {
	raw, _ := json.Marshal(ids)
	return string(raw)
}

// micros finds our group of each recorded row: ids and labels must be the same.
func (r *recorded) micros(t *testing.T, c *auto.Checkpoint) *trial.Steps[reward.Step] {
	groups, src := r.groups(t, c), &trial.Steps[reward.Step]{}
	for _, s := range r.Steps {
		var step reward.Step
		for _, m := range s.Micro {
			var b reward.Batch
			b.Reset()
			shape, labels := m.Inputs["input_ids"].Shape, m.Inputs["labels"].Data
			for row := range shape[0] {
				var ids []int32
				want := map[int]float64{}
				for i := row * shape[1]; i < (row+1)*shape[1]; i++ {
					if m.Inputs["attention_mask"].Data[i] != 0 {
						ids = append(ids, int32(m.Inputs["input_ids"].Data[i]))
					}
					if labels[i] != unlabelled {
						want[i-row*shape[1]] = labels[i]
					}
				}
				g, ok := groups[name(ids)]
				require.True(t, ok, "a recorded row is tokenised otherwise here")
				got := map[int]float64{}
				for _, k := range g.Answers[0].Marks {
					got[len(g.Prompt)+k.Token] = k.Label
				}
				require.Equal(t, want, got, "labels of a row")
				b.Add(g, reward.MarkedTokens, int32(row))
			}
			step.Micro = append(step.Micro, b)
		}
		src.List = append(src.List, step)
	}
	return src
}

// TestOracleTrajectory replays TRL's PRM run through the public trainer.
func TestOracleTrajectory(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "trainers/trajectories") {
		replay(t, filepath.Join(root, "prm"))
		tally.Compared(1)
	}
}

func replay(t *testing.T, dir string) {
	var run recorded
	oracle.ReadJSON(t, filepath.Join(dir, "run.json.gz"), &run)
	c, err := auto.Open(filepath.Join(filepath.Dir(dir), run.Model), auto.Options{Weights: tensor.Float32})
	require.NoError(t, err)
	defer c.Close()
	norm := run.number("max_grad_norm")
	tr, err := reward.New(reward.Net{Model: c.Model, Head: c.Head}, run.micros(t, c),
		reward.Options{Loss: process.Loss{}, Capacity: reward.Capacity{Tokens: 1024, Groups: 4, Rows: 64}, MicroMeans: true, SumOfMeans: true},
		train.Options{
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
		if n == 0 {
			trial.Gradients(t, dir, tr, train.ClipFactor(s.GradNorm, norm), gradTol)
		}
		n++
	}
	require.Equal(t, len(run.Steps), n)
	trial.Weights(t, dir, tr, weightTol)
}
