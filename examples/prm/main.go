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
	"flag"

	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/reward/process"
	"github.com/posttrain/posttrain/train"
)

var (
	flags  = cli.Flags{Rank: 16, Steps: 100, BatchTokens: 2048, MaxLength: 1024, Seed: 42, SaveEvery: 50}
	memory = cli.MemoryFlags("solution", 1024)

	separator = flag.String("separator", "\n", "stands behind every step, where the step is scored")
	lastOnly  = flag.Bool("last-step-only", false, "learn from the label of the last step alone")
	scalar    = flag.Bool("scalar", false, "a head with one score instead of two classes")
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
	if err := flags.Train(ctx, t, out.Event); err != nil {
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
	o := reward.Options{Loss: process.Loss{}, Recompute: memory.Recompute, Device: flags.Device(), BaseModel: flags.Model, Export: flags.Export(c)}
	loop := flags.Loop(flags.LearningRateOr(2e-3)) // the embedded model is small
	if len(in.held) > 0 {
		held, err := in.batches(in.held, reward.BatchOptions{GroupsPerStep: 8, Epochs: 1, Sequential: true})
		if err != nil {
			return nil, err
		}
		o.EvalData, loop.Watch = held, train.Watch{Metric: "eval_accuracy", HigherIsBetter: true}
		loop.Sampler = sampler{judge, in.texts}
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
	return flags.WriteCalibration("Process reward model: calibration", before, after)
}
