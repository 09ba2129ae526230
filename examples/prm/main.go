// Prm trains a process reward model, which judges every step of a solution, on
// rows of TRL's stepwise supervision (columns prompt, completions, labels). It
// measures it before and after, and writes an adapter (or, with -full, a
// token-classification model) that other tools load.
//
//	go run ./examples/prm
//	go run ./examples/prm -model smollm2-135m -data math_shepherd.jsonl -out run1
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/reward/process"
	"github.com/posttrain/posttrain/train"
	"github.com/posttrain/posttrain/train/report"
)

var (
	flags = cli.Flags{Rank: 16, Steps: 100, BatchTokens: 2048, MaxLength: 1024, Seed: 42, SaveEvery: 50}

	separator   = flag.String("separator", "\n", "stands behind every step, where the step is scored")
	lastOnly    = flag.Bool("last-step-only", false, "learn from the label of the last step alone")
	scalar      = flag.Bool("scalar", false, "a head with one score instead of two classes")
	microTokens = flag.Int("micro-tokens", 0, "largest micro-batch in tokens; 0 for what the longest solution needs, at least 1024")
	recompute   = flag.Bool("recompute", false, "save memory by computing activations twice")
)

func main() {
	cli.Main(&flags, "Prm trains a process reward model, which judges every step of a solution.", run)
}

func run(ctx context.Context) error {
	out := cli.NewProgress(flags.JSON)
	c, err := flags.Open()
	if err != nil {
		return err
	}
	defer c.Close()
	in, err := read(ctx, c)
	if err != nil {
		return err
	}
	out.Say("%s: %v", c.Path, in.report)
	labels := model.Labels(2)
	if *scalar {
		labels = model.Labels(1)
	}
	net, err := flags.Net(c, model.TokenClassification, labels)
	if err != nil {
		return err
	}
	judge, err := process.NewModel(net, process.ModelOptions{Encoder: c.Tokenizer, Format: format(c), Tokens: max(1024, 2*flags.MaxLength), Device: flags.Device()})
	if err != nil {
		return err
	}
	t, err := trainer(net, c, in, judge)
	if err != nil {
		return err
	}
	out.Expect(t.TotalSteps())
	err = t.Train(ctx, train.Hooks{Event: out.Event})
	if errors.Is(err, context.Canceled) && flags.Out != "" {
		return errors.Join(fmt.Errorf("stopped after step %d; go on with -resume", t.Step()), t.Save())
	}
	if err != nil {
		return err
	}
	return tell(ctx, out, t, judge, in)
}

// trainer puts model, data and options together.
func trainer(n reward.Net, c *auto.Checkpoint, in *inputs, judge *process.Model) (*reward.Trainer, error) {
	src, err := in.batches(in.training, reward.BatchOptions{TokensPerStep: flags.BatchTokens, Seed: flags.Seed})
	if err != nil {
		return nil, err
	}
	o := reward.Options{Loss: process.Loss{}, Recompute: *recompute, Device: flags.Device(), BaseModel: flags.Model}
	loop := train.Options{
		Optimizer: train.AdamW{LR: learningRate()}, MaxSteps: flags.Steps, EvalEvery: flags.EvalEvery, SaveEvery: flags.SaveEvery,
		Out: flags.Out, Resume: flags.Resume, Reporter: report.Run{},
	}
	if len(in.held) > 0 {
		held, err := in.batches(in.held, reward.BatchOptions{GroupsPerStep: 8, Epochs: 1, Sequential: true})
		if err != nil {
			return nil, err
		}
		o.EvalData, loop.Watch = held, train.Watch{Metric: "eval_accuracy", HigherIsBetter: true}
		loop.Sampler = sampler{judge, in.texts}
	}
	if flags.Full {
		o.Export = func(dir string) error { return auto.Save(dir, c, auto.SaveOptions{}) }
	}
	loop.Settings, err = json.Marshal(struct {
		Flags       cli.Flags      `json:"flags"`
		Separator   string         `json:"separator"`
		LastOnly    bool           `json:"last_step_only,omitempty"`
		Scalar      bool           `json:"scalar,omitempty"`
		Computation reward.Options `json:"computation"`
	}{flags, *separator, *lastOnly, *scalar, o})
	if err != nil {
		return nil, err
	}
	return reward.New(n, src, o, loop)
}

// learningRate is -lr, or what suits the embedded model where nothing is said.
func learningRate() float64 {
	if flags.LR == 0 && flags.Model == "" && !flags.Full {
		return 2e-3
	}
	return flags.LearningRate()
}

// tell says how steps and whole solutions are judged, and writes a page about it.
func tell(ctx context.Context, out *cli.Progress, t *reward.Trainer, judge *process.Model, in *inputs) error {
	before, after, ok := t.Calibration()
	if !ok {
		return nil
	}
	out.Say("\nsteps before: %v\nsteps after:  %v", before, after)
	for _, a := range []process.Aggregation{process.Last, process.Min, process.Product} {
		auc, err := in.solutions(ctx, judge, a)
		if err != nil {
			return err
		}
		out.Say("whole solutions by %s: a right one beats a wrong one in %.1f %%", a, 100*auc)
	}
	if flags.Out == "" {
		return nil
	}
	f, err := os.Create(filepath.Join(flags.Out, "calibration.html"))
	if err != nil {
		return err
	}
	return errors.Join(reward.WriteCalibration(f, "Process reward model: calibration", before, after), f.Close())
}
