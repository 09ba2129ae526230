// Orpo lets a language model learn from comparisons without a reference policy: of
// two answers to a prompt one was preferred. It measures the model on held-out
// comparisons before and after, and writes an adapter (or, with -full, a model)
// that other tools load.
//
//	go run ./examples/orpo
//	go run ./examples/orpo -model gemma-3-270m -template plain -data dpo_en_demo.json -out run1
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/examples/internal/prefs"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/train/report"
)

var (
	flags  = cli.Flags{Rank: 16, Steps: 100, BatchTokens: 2048, MaxLength: 1024, Seed: 42, SaveEvery: 50}
	memory = cli.MemoryFlags("pair", 512)

	loss   = flag.String("loss", "orpo", "orpo, cpo, cpo_hinge, cpo_ipo, simpo, alphapo or alphapo_sum")
	beta   = flag.Float64("beta", 0, "strength of the preference; 0 for 0.1, with simpo and alphapo 2, with the embedded model and orpo 1")
	margin = flag.Float64("margin", 0.5, "reward margin γ of simpo and alphapo")
	nll    = flag.Float64("nll", -1, "weight of a supervised term; -1 for the loss's own (orpo and cpo have one)")
)

func main() {
	cli.Main(&flags, "Orpo lets a language model learn from comparisons without a reference policy.", run)
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
	in, err := prefs.OpenPairs(ctx, &flags, c)
	if err != nil {
		return err
	}
	out.Say("%s: %v", c.Path, in.Report)
	p, err := prefs.Policy(&flags, c)
	if err != nil {
		return err
	}
	w, err := prefs.NewWriter(&flags, c, p, prefs.Texts(in.Evaluation))
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
func options() (dpo.Options, error) {
	o := dpo.Options{Beta: *beta, Recompute: memory.Recompute, Device: flags.Device(), BaseModel: flags.Model}
	for _, l := range []dpo.Loss{dpo.ORPO{}, dpo.CPO{}, dpo.CPOHinge{}, dpo.CPOIPO{}, dpo.SimPO{Margin: margin}, dpo.AlphaPO{Margin: margin}, dpo.AlphaPO{Over: dpo.PerSequence}} {
		if l.Name() == *loss {
			o.Loss = l
		}
	}
	switch {
	case *beta != 0:
	case *loss == "simpo", *loss == "alphapo":
		o.Beta = 2
	case *loss == "orpo" && flags.Model == "": // prompts of random sums would drown the preference
		o.Beta = 1
	}
	if o.Loss == nil {
		return o, fmt.Errorf("-loss: got %q, want orpo, cpo, cpo_hinge, cpo_ipo, simpo, alphapo or alphapo_sum", *loss)
	}
	if *nll >= 0 {
		o.Loss = withTerm(o.Loss, *nll)
	}
	return o, nil
}

// withTerm gives a loss a supervised term of that weight, beside or in place of its
// own.
func withTerm(l dpo.Loss, w float64) dpo.Loss {
	switch l.(type) {
	case dpo.CPO:
		return dpo.CPO{NLLWeight: &w}
	case dpo.CPOHinge:
		return dpo.CPOHinge{NLLWeight: &w}
	case dpo.CPOIPO:
		return dpo.CPOIPO{NLLWeight: &w}
	}
	return dpo.Sum{{Loss: l, Weight: 1}, {Loss: dpo.NLL{}, Weight: w}}
}

// start is what learns, where it comes from, and how it shows what it has learnt.
type start struct {
	policy dpo.Policy
	from   *auto.Checkpoint
	writer *prefs.Writer
}

// trainer puts policy, comparisons and options together.
func trainer(ctx context.Context, s start, in *prefs.Pairs, o dpo.Options) (*dpo.Trainer, error) {
	src, held, err := in.Batchers(&flags, memory)
	if err != nil {
		return nil, err
	}
	drift, err := prefs.NewDrift(ctx, s.policy, in.Evaluation, flags.Device())
	if err != nil {
		return nil, err
	}
	o.EvalData, o.Export = held, flags.Export(s.from)
	loop := flags.Loop(prefs.LearningRate(&flags))
	loop.Settings, err = json.Marshal(struct {
		Flags       cli.Flags   `json:"flags"`
		Loss        string      `json:"loss"`
		Computation dpo.Options `json:"computation"`
	}{flags, o.Loss.Name(), o})
	if err != nil {
		return nil, err
	}
	loop.Evaluator, loop.Sampler = drift, s.writer
	loop.Reporter = report.Run{Title: "Preferences without a reference: " + o.Loss.Name(), Notes: prefs.Notes()}
	return dpo.New(s.policy, src, o, loop)
}
