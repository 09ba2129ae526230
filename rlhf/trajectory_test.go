package rlhf_test

import (
	"context"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/internal/trial"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/advantage"
	"github.com/posttrain/posttrain/rlhf/rollout"
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
	// metricTol, relative to numbers above 1, is for metrics: TRL adds them up in
	// float32. The KL is a difference of numbers of about 6.
	metricTol = 2e-6
	// advantageTol is absolute: TRL computes advantages in float32.
	advantageTol = 1e-6
	// logProbTol, in nats, is for log-probabilities of about 6 to 10 in float32; those
	// of the second rollout also see how far weights are apart by then.
	logProbTol = 2e-4
)

// recordedRun is run.json.gz, as far as it is needed here.
type recordedRun struct {
	Model    string         `json:"model"`
	Args     map[string]any `json:"args"`
	Rollouts []struct {
		Prompts     [][]int32   `json:"prompt_ids"`
		Completions [][]int32   `json:"completion_ids"`
		LogProbs    [][]float64 `json:"logprobs"`
		Rewards     []*float64  `json:"rewards"`
	} `json:"rollouts"`
	Steps []struct {
		LRUsed float64            `json:"lr_used"`
		Logged map[string]float64 `json:"logged"`
		Micro  []struct {
			Inputs recordedMicro `json:"inputs"`
			Loss   float64       `json:"loss"`
		} `json:"micro"`
	} `json:"steps"`
}

// recordedMicro is a micro-batch of the run: rows padded to one width.
type recordedMicro struct {
	Prompt     grid[int32]   `json:"prompt_ids"`
	PromptMask grid[int32]   `json:"prompt_mask"`
	Completion grid[int32]   `json:"completion_ids"`
	Advantages grid[float64] `json:"advantages"`
	Old        grid[float64] `json:"old_per_token_logps"`
	Ref        grid[float64] `json:"ref_per_token_logps"`
	Mask       grid[int32]   `json:"completion_mask"`
}

// grid is a tensor of a fixture.
type grid[T any] struct {
	Shape []int `json:"shape"`
	Data  []T   `json:"data"`
}

func (g grid[T]) row(i int) []T { return g.Data[i*g.Shape[1] : (i+1)*g.Shape[1]] }

func (r *recordedRun) number(key string) float64 { v, _ := r.Args[key].(float64); return v }

func TestOracleTrajectories(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "trainers/trajectories") {
		runs, err := filepath.Glob(filepath.Join(root, "*", "run.json.gz"))
		require.NoError(t, err)
		for _, path := range runs {
			name := filepath.Base(filepath.Dir(path))
			if !strings.HasPrefix(name, "grpo_") {
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

// scales are TRL's names.
var scales = map[string]advantage.Scale{"group": advantage.GroupStd, "batch": advantage.BatchStd, "none": advantage.NoScale}

// options are those of the run.
func (r *recordedRun) options() rlhf.Options {
	generation, accumulation := r.number("steps_per_generation"), r.number("gradient_accumulation_steps")
	o := rlhf.Options{
		Generate:   generate.Options{MaxTokens: int(r.number("max_completion_length")), Temperature: r.number("temperature")},
		Iterations: int(r.number("num_iterations")), StepsPerGeneration: int(generation / accumulation), Sequential: true,
		MicroRows: int(r.number("per_device_train_batch_size")), MicroTokens: 1024, MicroMeans: true,
		Advantages: rlhf.GroupAdvantages{GroupOptions: advantage.GroupOptions{Scale: scales[r.Args["scale_rewards"].(string)]}},
	}
	o.MaskTruncated, _ = r.Args["mask_truncated_completions"].(bool)
	clip := rlhf.Clip{Low: r.number("epsilon"), High: r.number("epsilon_high")}
	o.Objective = rlhf.Objective{Policy: rlhf.DAPO{Clip: clip}, KL: rlhf.KL{Coef: r.number("beta"), Weighted: true}, OffPolicy: r.number("off_policy_mask_threshold")}
	if r.Args["importance_sampling_level"] == "sequence" {
		o.Objective.Policy = rlhf.GRPO{Clip: clip, Level: rlhf.SequenceLevel}
	}
	return o
}

// recorded feeds recorded rollouts to the trainer.
type recorded struct {
	list []*rollout.Rollout
	at   int
}

// Next implements rlhf.Source.
func (r *recorded) Next(context.Context, int64) (*rollout.Rollout, error) {
	if r.at == len(r.list) {
		return nil, io.EOF
	}
	r.at++
	return r.list[r.at-1], nil
}

// rollouts puts the recorded completions into the order in which TRL's shuffling
// brought them into micro-batches; every pass has the same.
func (r *recordedRun) rollouts(t *testing.T) *recorded {
	src := &recorded{}
	generations := int(r.number("num_generations"))
	each := len(r.Steps) / len(r.Rollouts)
	for k, from := range r.Rollouts {
		var all []*rollout.Completion
		for i, ids := range from.Completions {
			c := &rollout.Completion{Group: int64(i / generations), Index: i % generations, Prompt: &rollout.Prompt{IDs: from.Prompts[i]}, Finish: generate.FinishLength}
			for j, id := range ids {
				c.Tokens = append(c.Tokens, rollout.Token{ID: id, SamplerLogProb: from.LogProbs[i][j], LogProb: math.NaN()})
			}
			if ids[len(ids)-1] == 1 { // the tokenizer's end token
				c.Finish = generate.FinishEOS
			}
			c.Reward = math.NaN()
			if from.Rewards[i] != nil {
				c.Reward = *from.Rewards[i]
			}
			c.Rewards = []float64{c.Reward}
			all = append(all, c)
		}
		out := &rollout.Rollout{Number: int64(k), Names: []string{"reward"}, Rounds: 1, Epoch: float64(k + 1)}
		for s := k * each; s < k*each+each/int(r.number("num_iterations")); s++ {
			for _, m := range r.Steps[s].Micro {
				for row := range m.Inputs.Prompt.Shape[0] {
					at := slices.IndexFunc(all, func(c *rollout.Completion) bool { return m.Inputs.is(row, c) })
					require.GreaterOrEqual(t, at, 0, "row %d", row)
					out.Completions = append(out.Completions, all[at])
					all = slices.Delete(all, at, at+1)
				}
			}
		}
		require.Empty(t, all)
		src.list = append(src.list, out)
	}
	return src
}

// is says whether a row is that completion.
func (m *recordedMicro) is(row int, c *rollout.Completion) bool {
	prompt := m.Prompt.row(row)
	skip := slices.Index(m.PromptMask.row(row), 1)
	answer := m.Completion.row(row)
	n := len(c.Tokens)
	return slices.Equal(prompt[skip:], c.Prompt.IDs) && n <= len(answer) && slices.Equal(answer[:n], c.IDs()) &&
		!slices.ContainsFunc(answer[n:], func(id int32) bool { return id != 0 })
}

// replay runs a recorded run through the public trainer.
func replay(t *testing.T, dir string) {
	var run recordedRun
	oracle.ReadJSON(t, filepath.Join(dir, "run.json.gz"), &run)
	c, err := auto.Open(filepath.Join(filepath.Dir(dir), run.Model), auto.Options{Weights: tensor.Float32})
	require.NoError(t, err)
	defer c.Close()
	o := run.options()
	o.Source = run.rollouts(t)
	norm := run.number("max_grad_norm")
	tr, err := rlhf.New(rlhf.Policy{Model: c.Model}, nil, nil, o, train.Options{
		Optimizer:   train.AdamW{LR: run.number("learning_rate"), Eps: run.number("adam_epsilon"), WeightDecay: run.number("weight_decay")},
		Schedule:    train.Linear{Warmup: train.Warmup{Steps: int(run.number("warmup_steps"))}},
		MaxGradNorm: &norm, MaxSteps: int(run.number("max_steps")),
	})
	require.NoError(t, err)
	defer tr.Close()
	n := 0
	for s, err := range tr.Steps(t.Context()) {
		require.NoError(t, err)
		want := run.Steps[n]
		assert.InDelta(t, want.Logged["loss"], s.Loss, runLossTol, "loss of step %d", n)
		assert.InEpsilon(t, want.Logged["grad_norm"], s.GradNorm, normTol, "gradient norm of step %d", n)
		assert.InDelta(t, want.LRUsed, s.LR, 1e-15, "learning rate of step %d", n)
		compareMetrics(t, n, want.Logged, s.Metrics)
		compareRollout(t, tr.Rollout(), &run, n)
		if n == 0 {
			trial.Gradients(t, dir, tr, train.ClipFactor(s.GradNorm, norm), gradTol)
		}
		n++
	}
	require.Equal(t, len(run.Steps), n)
	trial.Weights(t, dir, tr, weightTol)
}

// compareMetrics wants every metric that TRL logged, but for counts that mean
// something else here (docs/metrics.md).
func compareMetrics(t *testing.T, n int, want map[string]float64, m *train.Metrics) {
	for name, value := range want {
		switch name {
		case "loss", "grad_norm", "learning_rate", "epoch", "num_tokens":
			continue
		}
		got, ok := m.Value(name)
		if !assert.True(t, ok, "%s of step %d", name, n) {
			continue
		}
		tol := metricTol * math.Max(1, math.Abs(value))
		if name == "kl" {
			tol = runLossTol
		}
		assert.InDelta(t, value, got, tol, "%s of step %d", name, n)
	}
}

// compareRollout compares advantages and log-probabilities of the rows of a step.
func compareRollout(t *testing.T, r *rollout.Rollout, run *recordedRun, step int) {
	passes := len(run.Steps) / len(run.Rollouts)
	at := 0
	if step%passes >= passes/int(run.number("num_iterations")) {
		return // a later pass over the same rows
	}
	at = step % passes * len(run.Steps[step].Micro) * run.Steps[step].Micro[0].Inputs.Prompt.Shape[0]
	for _, m := range run.Steps[step].Micro {
		for row := range m.Inputs.Prompt.Shape[0] {
			c := r.Completions[at]
			at++
			for k := range c.Tokens {
				if m.Inputs.Mask.row(row)[k] == 0 {
					continue
				}
				assert.InDelta(t, m.Inputs.Advantages.Data[row], c.Advantages[k], advantageTol)
				assert.InDelta(t, m.Inputs.Old.row(row)[k], c.Old[k], logProbTol)
				if len(m.Inputs.Ref.Data) > 0 {
					assert.InDelta(t, m.Inputs.Ref.row(row)[k], c.Ref[k], logProbTol)
				}
			}
		}
	}
}
