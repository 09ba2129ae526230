package stages

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/examples/internal/problems"
	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/sft"
	"github.com/posttrain/posttrain/train"
	"github.com/posttrain/posttrain/train/report"
)

// Run is a chain of stages.
type Run struct {
	Flags    *cli.Flags
	Out      *cli.Progress
	Title    string          // of the reports
	Exam     train.Evaluator // measures the policy before and after each stage
	Settings any             // flags of the example; a run is resumed with equal ones only
	Results  []Result        // the first is that before the first stage
}

// Result is what an exam found after a stage.
type Result struct {
	Stage   string // "" before the first
	Metrics *train.Metrics
}

// Stage is one of them.
type Stage struct {
	Name      string // of its folder
	Steps     int
	LR        float64
	EvalEvery int
	Exam      train.Evaluator // in place of the run's, for a policy of its own
	Export    func(dir string) error
}

// loop are the settings of a stage's training loop.
func (r *Run) loop(s Stage, computation any) (train.Options, error) {
	raw, err := json.Marshal(struct {
		Flags       *cli.Flags `json:"flags"`
		Settings    any        `json:"settings"`
		LR          float64    `json:"lr"`
		Computation any        `json:"computation"`
	}{r.Flags, r.Settings, s.LR, computation})
	exam := r.Exam
	if s.Exam != nil {
		exam = s.Exam
	}
	o := train.Options{
		Optimizer: train.AdamW{LR: s.LR}, Schedule: train.Cosine{Warmup: train.Warmup{Steps: min(5, s.Steps)}}, MaxSteps: s.Steps,
		EvalEvery: s.EvalEvery, SampleEvery: s.EvalEvery, SaveEvery: r.Flags.SaveEvery, Resume: r.Flags.Resume, Settings: raw, Evaluator: exam,
		Watch: train.Watch{Metric: "eval_accuracy", HigherIsBetter: true}, Reporter: report.Run{Title: r.Title + ": " + s.Name},
	}
	if r.Flags.Out != "" {
		o.Out = filepath.Join(r.Flags.Out, s.Name)
	}
	return o, err
}

// FineTune is a stage of supervised fine-tuning on a dataset.
func (r *Run) FineTune(ctx context.Context, s Stage, p sft.Policy, set *data.Dataset) error {
	batches, err := data.NewBatcher(set, data.BatchOptions{TokensPerStep: r.Flags.BatchTokens, TokensPerMicro: r.Flags.BatchTokens, Seed: r.Flags.Seed})
	if err != nil {
		return err
	}
	o := sft.Options{MicroTokens: r.Flags.BatchTokens, Device: r.Flags.Device(), BaseModel: r.Flags.Model, Export: s.Export}
	l, err := r.loop(s, o)
	if err != nil {
		return err
	}
	t, err := sft.New(p, batches, o, l)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	return r.train(ctx, s, t.Trainer)
}

// Reinforce is a stage of reinforcement learning.
func (r *Run) Reinforce(ctx context.Context, s Stage, p rlhf.Policy, t Task) error {
	o := t.Options
	o.Device, o.BaseModel, o.Export, o.Rollout.Seed = r.Flags.Device(), r.Flags.Model, s.Export, r.Flags.Seed
	l, err := r.loop(s, o)
	if err != nil {
		return err
	}
	learner, err := rlhf.New(p, t.Prompts, t.Rewards, o, l)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	defer learner.Close()
	return r.train(ctx, s, learner.Trainer)
}

// Task is what a stage of reinforcement learning is about.
type Task struct {
	Prompts []rollout.Prompt
	Rewards []rollout.Reward
	Options rlhf.Options
}

// train runs a stage to its end and notes its exams. An interrupted one is saved.
func (r *Run) train(ctx context.Context, s Stage, t *train.Trainer) error {
	r.Out.Say("\n%s", s.Name)
	r.Out.Expect(s.Steps)
	err := t.Train(ctx, train.Hooks{Event: func(e train.Event) error { return r.Out.Event(problems.WithAccuracy(e)) }})
	switch {
	case errors.Is(err, context.Canceled) && r.Flags.Out != "":
		return errors.Join(fmt.Errorf("stopped in stage %s after step %d; go on with -resume", s.Name, t.Step()), t.Save())
	case err != nil:
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	first, latest := t.Evaluations()
	if len(r.Results) == 0 {
		r.Results = append(r.Results, Result{"", first})
	}
	r.Results = append(r.Results, Result{s.Name, latest})
	return nil
}
