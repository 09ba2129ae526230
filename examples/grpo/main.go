// Grpo lets a language model learn from a verifier: it answers prompts several
// times, each answer is checked by a rule, and what was right becomes likelier. It
// measures the model on held-out problems before, during and after, and writes an
// adapter (or, with -full, a model) that other tools load.
//
//	go run ./examples/grpo
//	go run ./examples/grpo -model smollm2-135m -data gsm8k.jsonl -out run1
package main

import (
	"context"
	"encoding/json"
	"flag"

	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/examples/internal/problems"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/train"
)

var (
	flags = cli.Flags{Rank: 16, Steps: 400, BatchTokens: 2048, MaxLength: 1024, Seed: 42, SaveEvery: 50, EvalEvery: 50}

	prompts     = flag.Int("prompts", 64, "prompts an optimizer step")
	completions = flag.Int("completions", 8, "completions of each prompt")
	longest     = flag.Int("max-completion", 0, "tokens of a completion at most; 0 for 8 with the embedded model, else 256")
	temperature = flag.Float64("temperature", 1, "of sampling")
	loss        = flag.String("loss", "dapo", "policy loss: "+names())
	beta        = flag.Float64("beta", 0, "weight of the KL to the policy at the start")
	iterations  = flag.Int("iterations", 1, "passes over each rollout")
	entropy     = flag.Float64("entropy", 0, "weight of the mean entropy of the policy, a bonus")
	rounds      = flag.Int("rounds", 1, "rounds of sampling to replace groups whose rewards are all equal")
	warmup      = flag.Int("warmup", 5, "steps until the learning rate is full")
	recompute   = flag.Bool("recompute", false, "save memory by computing activations twice")
)

func main() {
	problems.Main(&flags, "Grpo lets a language model learn from a verifier (group relative policy optimisation).", run)
}

func run(ctx context.Context) error {
	out := cli.NewProgress(flags.JSON)
	c, err := flags.Open()
	if err != nil {
		return err
	}
	defer c.Close()
	p, err := problems.Policy(&flags, c)
	if err != nil {
		return err
	}
	in, err := problems.Open(ctx, &flags, c, p.AdapterName(), *longest)
	if err != nil {
		return err
	}
	defer in.Close()
	t, err := trainer(p, c, in)
	if err != nil {
		return err
	}
	defer t.Close()
	out.Say("%s: %d problems to train on, %d held out", c.Path, len(in.Prompts), in.Held)
	out.Expect(flags.Steps)
	err = flags.Train(ctx, t, func(e train.Event) error { return out.Event(problems.WithAccuracy(e)) })
	if err != nil {
		return err
	}
	table, err := in.Table()
	out.Say("\n%s", table)
	return err
}

// trainer puts policy, prompts, verifier and options together.
func trainer(p rlhf.Policy, c *auto.Checkpoint, in *problems.Set) (*rlhf.Trainer, error) {
	policyLoss, advantages, err := lossOf(*loss, in.MaxTokens)
	if err != nil {
		return nil, err
	}
	o := rlhf.Options{
		Advantages: advantages,
		Objective:  rlhf.Objective{Policy: policyLoss, KL: rlhf.KL{Coef: *beta}, Entropy: *entropy},
		Rollout:    rollout.Options{Prompts: *prompts, Completions: *completions, MaxRounds: *rounds, Seed: flags.Seed},
		Generate:   generate.Options{MaxTokens: in.MaxTokens, Temperature: *temperature},
		Decode:     generate.Text(c.Tokenizer.NewStream),
		Iterations: *iterations, MicroTokens: max(flags.BatchTokens, in.Longest+in.MaxTokens), Recompute: *recompute,
		BaseModel: flags.Model, Device: flags.Device(), Export: flags.Export(c),
	}
	loop := flags.Loop(problems.LearningRate(&flags))
	loop.Settings, err = json.Marshal(struct {
		Flags     cli.Flags    `json:"flags"`
		Loss      string       `json:"loss"`
		Beta      float64      `json:"beta,omitempty"`
		MaxTokens int          `json:"max_completion"`
		Options   rlhf.Options `json:"computation"`
	}{flags, *loss, *beta, in.MaxTokens, o})
	if err != nil {
		return nil, err
	}
	loop.Schedule, loop.SampleEvery = train.Linear{Warmup: train.Warmup{Steps: *warmup}}, flags.EvalEvery
	loop.Evaluator, loop.Watch = in.Exam, train.Watch{Metric: "eval_exact_match", HigherIsBetter: true}
	return rlhf.New(p, in.Prompts, []rollout.Reward{{By: in.Verifier}}, o, loop)
}
