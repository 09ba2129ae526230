package reward_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/reward"
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
	scoreTol   = 1e-5   // absolute, metrics made of scores of order 1
)

// recorded is run.json.gz, as far as it is needed here.
type recorded struct {
	Model string         `json:"model"`
	Args  map[string]any `json:"args"`
	Rows  []struct {
		Prompt   string  `json:"prompt"`
		Chosen   string  `json:"chosen"`
		Rejected string  `json:"rejected"`
		Margin   float64 `json:"margin"`
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

// loop are the recorded run's options of the loop.
func (r *recorded) loop() train.Options {
	return train.Options{
		Optimizer:   train.AdamW{LR: r.number("learning_rate"), Eps: r.number("adam_epsilon"), WeightDecay: r.number("weight_decay")},
		Schedule:    train.Linear{Warmup: train.Warmup{Steps: int(r.number("warmup_steps"))}},
		MaxGradNorm: new(r.number("max_grad_norm")), MaxSteps: int(r.number("max_steps")), Denominator: train.PerMicroBatch,
	}
}

func TestOracleTrajectories(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "trainers/trajectories") {
		runs, err := filepath.Glob(filepath.Join(root, "*", "run.json.gz"))
		require.NoError(t, err)
		for _, path := range runs {
			name := filepath.Base(filepath.Dir(path))
			if !strings.HasPrefix(name, "reward_") {
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
	compareTexts(t, &run, c)
	l := reward.BradleyTerry{Centring: run.number("center_rewards_coefficient")}
	o := reward.Options{Loss: l, Capacity: reward.Capacity{Tokens: 1024, Groups: 8}, MicroMeans: true}
	tr, err := reward.New(reward.Net{Model: c.Model, Head: c.Head}, micros(&run), o, run.loop())
	require.NoError(t, err)
	n := 0
	for s, err := range tr.Steps(t.Context()) {
		require.NoError(t, err)
		want := run.Steps[n]
		assert.InDelta(t, want.Logged["loss"], s.Loss, runLossTol, "loss of step %d", n)
		assert.InEpsilon(t, want.Logged["grad_norm"], s.GradNorm, normTol, "gradient norm of step %d", n)
		assert.InDelta(t, want.LRUsed, s.LR, 1e-15, "learning rate of step %d", n)
		for _, name := range []string{"min_reward", "mean_reward", "max_reward", "accuracy", "margin"} {
			got, ok := s.Metrics.Value(name)
			require.True(t, ok, name)
			assert.InDelta(t, want.Logged[name], got, scoreTol, "%s of step %d", name, n)
		}
		assert.EqualValues(t, want.Logged["num_tokens"], s.Tokens, "tokens until step %d", n)
		if n == 0 {
			trial.Gradients(t, dir, tr, train.ClipFactor(s.GradNorm, run.number("max_grad_norm")), gradTol)
		}
		n++
	}
	require.Equal(t, len(run.Steps), n)
	trial.Weights(t, dir, tr, weightTol)
}

// micros makes groups of the recorded batches, whose first half is chosen rows.
func micros(run *recorded) *trial.Steps[reward.Step] {
	src := &trial.Steps[reward.Step]{}
	for _, s := range run.Steps {
		var step reward.Step
		for _, m := range s.Micro {
			var b reward.Batch
			b.Reset()
			n := m.Inputs["input_ids"].Shape[0] / 2
			for i := range n {
				g := reward.Group{Answers: []reward.Candidate{{IDs: text(m.Inputs, i)}, {IDs: text(m.Inputs, i+n)}}}
				if margins := m.Inputs["margin"].Data; margins != nil {
					g.Margin = margins[i]
				}
				b.Add(g, reward.LastToken, int32(i))
			}
			step.Micro = append(step.Micro, b)
		}
		src.List = append(src.List, step)
	}
	return src
}

// text cuts the padding off a row.
func text(in map[string]array, row int) (ids []int32) {
	width := in["input_ids"].Shape[1]
	for i := row * width; i < (row+1)*width; i++ {
		if in["attention_mask"].Data[i] != 0 {
			ids = append(ids, int32(in["input_ids"].Data[i]))
		}
	}
	return ids
}

// compareTexts wants every recorded comparison among those that Prepare makes of
// the run's rows: ids and margin.
func compareTexts(t *testing.T, run *recorded, c *auto.Checkpoint) {
	var rows data.Slice[data.PairRow]
	for _, r := range run.Rows {
		rows = append(rows, data.PairRow{Prompt: r.Prompt, Chosen: r.Chosen, Rejected: r.Rejected, Margin: r.Margin})
	}
	_, eos, ok := c.Tokenizer.EOS()
	require.True(t, ok)
	groups, report, err := reward.Prepare(t.Context(), reward.Pairs(rows), c.Tokenizer, reward.PrepareOptions{MaxLength: int(run.number("max_length")), EOS: eos})
	require.NoError(t, err)
	ours := map[string]bool{}
	key := func(margin float64, chosen, rejected []int32) string { return fmt.Sprint(margin, chosen, rejected) }
	for _, g := range groups {
		whole := func(i int) []int32 { return slices.Concat(g.Prompt, g.Answers[i].IDs) }
		ours[key(g.Margin, whole(0), whole(1))] = true
	}
	compared := 0
	for _, s := range run.Steps {
		for _, m := range s.Micro {
			n := m.Inputs["input_ids"].Shape[0] / 2
			for i := range n {
				require.True(t, ours[key(m.Inputs["margin"].Data[i], text(m.Inputs, i), text(m.Inputs, i+n))], "a recorded comparison is tokenised otherwise here; %v", report)
				compared++
			}
		}
	}
	require.Positive(t, compared)
}
