// Reward trains a reward model: a language model with a scalar head that scores
// answers. It learns from comparisons (columns prompt, chosen, rejected and perhaps
// margin), from rankings or grades of several answers (prompt, completions and
// perhaps scores) or from answers that are right or wrong (prompt, completion,
// label), as -loss says. It measures accuracy, margins and length bias before and
// after, and writes an adapter (or, with -full, a sequence-classification model)
// that other tools load.
//
//	go run ./examples/reward
//	go run ./examples/reward -model gemma-3-270m-q4_k_m.gguf -template plain -data dpo_en_demo.json.gz -limit 240 -out run1
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"

	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/train"
)

var (
	flags  = cli.Flags{Rank: 16, Steps: 100, BatchTokens: 2048, MaxLength: 1024, Seed: 42, SaveEvery: 50}
	memory = cli.MemoryFlags("comparison", 1024)

	loss      = flag.String("loss", "bradley_terry", "bradley_terry (comparisons); all_pairs or plackett_luce (rankings); regression (grades); outcome or outcome_every_token (answers with labels)")
	centring  = flag.Float64("centring", 0.01, "weight of the squared sum of both scores of a comparison, which keeps them near 0")
	smoothing = flag.Float64("label-smoothing", 0, "share of comparisons that are taken to be the wrong way round")
	separate  = flag.Bool("separate", false, "compute the prompt of a comparison twice instead of sharing it; results are the same")
)

func main() {
	cli.Main(&flags, "Reward trains a reward model on comparisons, rankings, grades, or answers that are right or wrong.", run)
}

func run(ctx context.Context) error {
	out := cli.NewProgress(flags.JSON)
	l, err := lossOf(*loss)
	if err != nil {
		return err
	}
	c, err := flags.Open()
	if err != nil {
		return err
	}
	defer c.Close()
	in, err := read(ctx, c, l)
	if err != nil {
		return err
	}
	out.Say("%s: %v", c.Path, in.report)
	net, err := flags.Net(c, model.SequenceClassification, nil)
	if err != nil {
		return err
	}
	t, err := trainer(net, c, l, in)
	if err != nil {
		return err
	}
	out.Expect(t.TotalSteps())
	if err := flags.Train(ctx, t, out.Event); err != nil {
		return err
	}
	return tell(out, t)
}

// lossOf is the loss of that name.
func lossOf(name string) (reward.Loss, error) {
	switch name {
	case "bradley_terry", "all_pairs":
		return reward.BradleyTerry{Centring: *centring, LabelSmoothing: *smoothing}, nil
	case "plackett_luce":
		return reward.PlackettLuce{}, nil
	case "regression":
		return reward.Regression{}, nil
	case "outcome", "outcome_every_token":
		return reward.Outcome{EveryToken: name != "outcome"}, nil
	}
	return nil, fmt.Errorf("-loss: got %q, want bradley_terry, all_pairs, plackett_luce, regression, outcome or outcome_every_token", name)
}

// trainer puts model, data and options together.
func trainer(n reward.Net, c *auto.Checkpoint, l reward.Loss, in *inputs) (*reward.Trainer, error) {
	src, err := in.batches(in.training, reward.BatchOptions{TokensPerStep: flags.BatchTokens}, l)
	if err != nil {
		return nil, err
	}
	o := reward.Options{Loss: l, Recompute: memory.Recompute, Device: flags.Device(), BaseModel: flags.Model, Export: flags.Export(c)}
	loop := flags.Loop(flags.LearningRateOr(2e-3)) // the embedded model is small
	if len(in.held) > 0 {
		held, err := in.batches(in.held, reward.BatchOptions{GroupsPerStep: 8, Epochs: 1, Sequential: true}, l)
		if err != nil {
			return nil, err
		}
		o.EvalData = held
		if loop.Watch = (train.Watch{Metric: "eval_accuracy", HigherIsBetter: true}); l.Traits().Need == reward.Labels && !l.Traits().LogOdds {
			loop.Watch = train.Watch{Metric: "eval_loss"}
		}
		if loop.Sampler, err = newSampler(n, c, in.texts); err != nil {
			return nil, err
		}
	}
	loop.Settings, err = json.Marshal(struct {
		Flags       cli.Flags      `json:"flags"`
		Loss        string         `json:"loss"`
		Centring    float64        `json:"centring,omitempty"`
		Smoothing   float64        `json:"label_smoothing,omitempty"`
		Separate    bool           `json:"separate,omitempty"`
		Computation reward.Options `json:"computation"`
	}{flags, *loss, *centring, *smoothing, *separate, o})
	if err != nil {
		return nil, err
	}
	return reward.New(n, src, o, loop)
}

// tell says how the scores did before and after, and writes a page about it.
func tell(out *cli.Progress, t *reward.Trainer) error {
	before, after, ok := t.Calibration()
	if !ok {
		return nil
	}
	out.Say("\nbefore: %v\nafter:  %v", before, after)
	return flags.WriteCalibration("Reward model: calibration", before, after)
}
