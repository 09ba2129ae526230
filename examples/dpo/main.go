// Dpo lets a language model learn from comparisons: of two answers to a prompt one
// was preferred, and the model is to find it the likelier one, no further from where
// it started than that takes. It measures the model on held-out comparisons before
// and after, and writes an adapter (or, with -full, a model) that other tools load.
//
//	go run ./examples/dpo
//	go run ./examples/dpo -model gemma-3-270m -template plain -data dpo_en_demo.json -loss sigmoid:1,sft:0.1 -out run1
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"strings"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/examples/internal/prefs"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/train"
	"github.com/posttrain/posttrain/train/report"
)

var (
	flags  = cli.Flags{Rank: 16, Steps: 100, BatchTokens: 2048, MaxLength: 1024, Seed: 42, SaveEvery: 50}
	memory = cli.MemoryFlags("pair", 512)

	loss       = flag.String("loss", "sigmoid", "`name[:weight],…` of "+strings.Join(prefs.LossNames(), ", "))
	beta       = flag.Float64("beta", 0.1, "how strongly the policy is held to the reference")
	divergence = flag.String("divergence", "reverse_kl", "reverse_kl, forward_kl, js_divergence or alpha_divergence")
	ldAlpha    = flag.Float64("ld-alpha", 1, "weight of tokens past the end of the pair's shorter answer, 0 to 1")
	base       = flag.Bool("base", false, "compare with the model without -adapter, instead of with the policy at the start")
	refFile    = flag.String("reference-file", "", "keep the reference's log-probabilities in this `file`, or read them from it")
	syncEvery  = flag.Int("sync-every", 0, "steps between two moves of the reference towards the policy; 0 for never")
	syncMix    = flag.Float64("sync-mix", 0.6, "share of the policy in such a move, 0 to 1")
	ppl        = flag.Float64("perplexity", 0, "drop training pairs whose chosen answer is above this perplexity under the policy at the start; 0 keeps all")
)

func main() {
	cli.Main(&flags, "Dpo lets a language model learn from comparisons.", run)
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
	if *ppl > 0 {
		r, err := in.FilterPerplexity(ctx, &flags, p, *ppl)
		if err != nil {
			return err
		}
		out.Say("%v", r)
	}
	w, err := prefs.NewWriter(&flags, c, p, prefs.Texts(in.Evaluation))
	if err != nil {
		return err
	}
	defer w.Close()
	kl, err := prefs.NewKL(&flags, p, in.Evaluation)
	if err != nil {
		return err
	}
	defer kl.Close()
	drift, err := prefs.NewDrift(ctx, p, in.Evaluation, flags.Device())
	if err != nil {
		return err
	}
	t, err := trainer(start{p, c, w}, in, o, prefs.Evaluators{drift, kl})
	if err != nil {
		return err
	}
	if err := kl.Against(p, t.Reference()); err != nil {
		return err
	}
	return prefs.Run(ctx, &flags, t, out)
}

// options are those of the computation.
func options() (o dpo.Options, err error) {
	o = dpo.Options{Beta: *beta, LDAlpha: ldAlpha, Recompute: memory.Recompute, Device: flags.Device(), BaseModel: flags.Model}
	o.Reference = dpo.Reference{Base: *base, File: *refFile}
	if *syncEvery != 0 {
		o.Reference.Sync = dpo.Sync{Every: *syncEvery, Mix: *syncMix}
	}
	for _, d := range []dpo.Divergence{dpo.ReverseKL{}, dpo.ForwardKL{}, dpo.JensenShannon{}, dpo.Alpha{Coef: 0.5}} {
		if name, _, _ := strings.Cut(d.Name(), "("); name == *divergence {
			o.Divergence = d
		}
	}
	if o.Divergence == nil {
		return o, fmt.Errorf("-divergence: got %q, want reverse_kl, forward_kl, js_divergence or alpha_divergence", *divergence)
	}
	if flags.LR == 0 && flags.Model == "" && !flags.Full {
		flags.LR = 3e-4 // the embedded model is small
	}
	if !(*beta > 0) {
		return o, fmt.Errorf("-beta: got %g, want more than 0", *beta)
	}
	o.Loss, err = prefs.ParseLoss(*loss)
	return o, err
}

// start is what learns, where it comes from, and how it shows what it has learnt.
type start struct {
	policy dpo.Policy
	from   *auto.Checkpoint
	writer *prefs.Writer
}

// trainer puts policy, comparisons and options together.
func trainer(s start, in *prefs.Pairs, o dpo.Options, measures train.Evaluator) (*dpo.Trainer, error) {
	src, held, err := in.Batchers(&flags, memory)
	if err != nil {
		return nil, err
	}
	o.EvalData, o.Export = held, flags.Export(s.from)
	loop := flags.Loop(prefs.LearningRate(&flags))
	loop.Settings, err = json.Marshal(struct {
		Flags       cli.Flags   `json:"flags"`
		Loss        string      `json:"loss"`
		Divergence  string      `json:"divergence"`
		Computation dpo.Options `json:"computation"`
	}{flags, o.Loss.Name(), o.Divergence.Name(), o})
	if err != nil {
		return nil, err
	}
	loop.Evaluator, loop.Sampler = measures, s.writer
	loop.Reporter = report.Run{Title: "Preferences: " + o.Loss.Name(), Notes: prefs.Notes()}
	return dpo.New(s.policy, src, o, loop)
}
