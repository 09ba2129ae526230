// Kto lets a language model learn from answers that were judged one by one, such as
// with a thumb up or down. It measures the model on held-out answers before and
// after, and writes an adapter (or, with -full, a model) that other tools load.
//
//	go run ./examples/kto
//	go run ./examples/kto -model gemma-3-270m -template plain -data kto_en_demo.json -out run1
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/unpaired"
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/examples/internal/prefs"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/train/report"
)

var (
	flags  = cli.Flags{Rank: 16, Steps: 100, BatchTokens: 2048, MaxLength: 1024, Seed: 42, SaveEvery: 50}
	memory = cli.MemoryFlags("row", 512)

	loss        = flag.String("loss", "kto", "kto, apo_zero_unpaired or bco")
	beta        = flag.Float64("beta", 0, "how strongly the policy is held to where it started; 0 for 0.1, with the embedded model 1")
	desirable   = flag.Float64("desirable-weight", 1, "weight of desirable answers (kto, apo_zero_unpaired)")
	undesirable = flag.Float64("undesirable-weight", 1, "weight of undesirable answers")
)

func main() {
	cli.Main(&flags, "Kto lets a language model learn from answers that were judged one by one.", run)
}

func run(ctx context.Context) error {
	o, err := options()
	if err != nil {
		return err
	}
	out := cli.NewProgress(flags.JSON)
	c, err := flags.Open()
	if err != nil {
		return err
	}
	defer c.Close()
	in, err := prefs.OpenLabels(ctx, &flags, c)
	if err != nil {
		return err
	}
	out.Say("%s: %v", c.Path, in.Report)
	if k, ok := o.Loss.(unpaired.KTO); ok {
		if b := k.Balance(in.Training); b < 1 || b > 4./3 {
			out.Say("desirable answers weigh %.2f times as much as others; 1 to 1.33 is usual (-desirable-weight, -undesirable-weight)", b)
		}
	}
	p, err := prefs.Policy(&flags, c)
	if err != nil {
		return err
	}
	if flags.Full { // the model at the start, once more
		again, err := flags.Open()
		if err != nil {
			return err
		}
		defer again.Close()
		o.Reference.Model = again.Model
	}
	w, err := prefs.NewWriter(&flags, c, p, prefs.RowTexts(in.Evaluation))
	if err != nil {
		return err
	}
	defer w.Close()
	t, err := trainer(ctx, start{p, c, w}, in, o)
	if err != nil {
		return err
	}
	return prefs.Run(ctx, &flags, t, out)
}

// options chooses the loss.
func options() (unpaired.Options, error) {
	o := unpaired.Options{Beta: *beta, Recompute: memory.Recompute, Device: flags.Device(), BaseModel: flags.Model}
	if *beta == 0 && flags.Model == "" { // a model this small forgets sums soon
		o.Beta = 1
	}
	switch *loss {
	case "kto":
		o.Loss = unpaired.KTO{DesirableWeight: *desirable, UndesirableWeight: *undesirable}
	case "apo_zero_unpaired":
		o.Loss = unpaired.APOZero{DesirableWeight: *desirable, UndesirableWeight: *undesirable}
	case "bco":
		o.Loss = unpaired.BCO{}
	default:
		return o, fmt.Errorf("-loss: got %q, want kto, apo_zero_unpaired or bco", *loss)
	}
	return o, o.Validate()
}

// start is what learns, where it comes from, and how it shows what it has learnt.
type start struct {
	policy dpo.Policy
	from   *auto.Checkpoint
	writer *prefs.Writer
}

// trainer puts policy, answers and options together.
func trainer(ctx context.Context, s start, in *prefs.Labels, o unpaired.Options) (*unpaired.Trainer, error) {
	src, held, err := in.Batchers(&flags, memory)
	if err != nil {
		return nil, err
	}
	drift, err := prefs.NewRowDrift(ctx, s.policy, in.Evaluation, flags.Device())
	if err != nil {
		return nil, err
	}
	o.EvalData, o.Export = held, flags.Export(s.from)
	loop := flags.Loop(prefs.LearningRate(&flags))
	loop.Settings, err = json.Marshal(struct {
		Flags       cli.Flags        `json:"flags"`
		Loss        string           `json:"loss"`
		Desirable   float64          `json:"desirable_weight"`
		Undesirable float64          `json:"undesirable_weight"`
		Computation unpaired.Options `json:"computation"`
	}{flags, o.Loss.Name(), *desirable, *undesirable, o})
	if err != nil {
		return nil, err
	}
	loop.Evaluator, loop.Sampler = drift, s.writer
	loop.Reporter = report.Run{Title: "Labelled answers: " + o.Loss.Name(), Notes: prefs.Notes()}
	return unpaired.New(s.policy, src, o, loop)
}
