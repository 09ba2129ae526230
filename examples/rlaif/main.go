// Rlaif lets a language model learn from the judgements of another one, without a
// single label of a person. First its answers are criticised and revised, and it
// learns the revisions; then it answers several times, the other model says which of
// its answers is better, in both orders, and it learns from that (Constitutional AI,
// Bai et al. 2022; RLAIF, Lee et al. 2023). The share of right answers, which no stage
// is told, is measured after each.
//
//	go run ./examples/rlaif
//	go run ./examples/rlaif -accuracy 0.7 -place-bias 0.3
//	go run ./examples/rlaif -model smollm2-135m -data questions.jsonl -judge big-model -out run1
//
// Without -judge the other model is simulated: it knows the answers, is wrong now and
// then, and likes what it is shown first.
package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/eval"
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/examples/internal/stages"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/sft"
)

var (
	flags = cli.Flags{Rank: 16, Steps: 30, BatchTokens: 1024, MaxLength: 128, Seed: 42, SaveEvery: 50, EvalLimit: 200}

	judge       = flag.String("judge", "", "Hugging Face `folder` or .gguf file of the model that judges and revises, \"embedded\" for the tiny one, which has no idea; empty simulates one")
	accuracy    = flag.Float64("accuracy", 0.9, "how often the simulated one is right")
	place       = flag.Float64("place-bias", 0.2, "how often it says that the answer shown first is better, whatever it is")
	revised     = flag.Int("revised", 500, "prompts whose answers are criticised and revised")
	reviseSteps = flag.Int("revise-steps", 30, "steps on the revisions")
	beta        = flag.Float64("beta", 0.02, "weight of the KL to the policy that learnt the revisions")
	prompts     = flag.Int("prompts", 16, "prompts a step of RL")
	completions = flag.Int("completions", 8, "completions of each")
	longest     = flag.Int("max-completion", 0, "tokens of a completion at most; 0 for 8 with the embedded model, else 128")
)

func main() {
	cli.Main(&flags, "Rlaif lets a language model learn from the judgements of another one.", run)
}

// settings decide what is computed, beside flags that all examples have.
type settings struct {
	Judge           string
	Accuracy, Place float64
	Revised         int
	MaxTokens       int
	Beta            float64
}

func run(ctx context.Context) error {
	if !(*accuracy >= 0 && *accuracy <= 1) || !(*place >= 0 && *place <= 1) {
		return fmt.Errorf("-accuracy, -place-bias: got %g and %g, want 0 to 1", *accuracy, *place)
	}
	if *longest == 0 {
		if *longest = 128; flags.Model == "" {
			*longest = 8
		}
	}
	out := cli.NewProgress(flags.JSON)
	c, err := flags.Open()
	if err != nil {
		return err
	}
	defer c.Close()
	a, err := stages.Adapter(&flags, c, "")
	if err != nil {
		return err
	}
	in := &inputs{from: c, policy: rlhf.Policy{Model: c.Model, Adapter: a}}
	if err := in.open(ctx); err != nil {
		return err
	}
	defer in.close()
	out.Say("%s: %d prompts to train on, %d held out", c.Path, len(in.prompts), in.held)

	r := &stages.Run{Flags: &flags, Out: out, Title: "A model learns from AI feedback", Exam: in.exam, Settings: settings{*judge, *accuracy, *place, *revised, *longest, *beta}}
	set, err := in.revisions(ctx, out)
	if err != nil {
		return err
	}
	if err := r.FineTune(ctx, stages.Stage{Name: "1-revisions", Steps: *reviseSteps, LR: stages.LearningRate(&flags, 2)}, sft.Policy{Model: c.Model, Adapter: a}, set); err != nil {
		return err
	}
	task, err := in.task()
	if err != nil {
		return err
	}
	if err := r.Reinforce(ctx, stages.Stage{Name: "2-rlaif", Steps: flags.Steps, LR: stages.LearningRate(&flags, 1), EvalEvery: flags.EvalEvery, Export: flags.Export(c)}, in.policy, task); err != nil {
		return err
	}
	column := stages.Column{Metric: "accuracy", Title: "right", Percent: true}
	out.Say("\n%s", r.Table(column))
	return r.Report([]string{"No stage was told which answers are right; a judge compared them, in both orders."}, column)
}

// newExam asks held-out problems.
func newExam(ctx context.Context, in *inputs, held []data.Row) (e stages.Exam, err error) {
	questions, err := eval.Questions(ctx, data.Slice[data.Row](held), eval.QuestionOptions{Encoder: in.from.Tokenizer, Extract: final})
	if err != nil {
		return e, err
	}
	if in.gen, err = generate.New(in.from.Model, generate.Config{
		Adapter: in.policy.AdapterName(), Sequences: 32, Context: flags.MaxLength, Device: flags.Device(), Decode: generate.Text(in.from.Tokenizer.NewStream),
	}); err != nil {
		return e, err
	}
	e.ExactMatch, err = eval.NewExactMatch(in.gen, questions, eval.ExactMatchOptions{Generate: generate.Options{MaxTokens: *longest}, Extract: final})
	return e, err
}

// options of RL.
func options(in *inputs) rlhf.Options {
	return rlhf.Options{
		Objective: rlhf.Objective{Policy: rlhf.DAPO{}, KL: rlhf.KL{Coef: *beta}}, Rollout: rollout.Options{Prompts: *prompts, Completions: *completions},
		Generate: generate.Options{MaxTokens: *longest, Temperature: 1}, Decode: generate.Text(in.from.Tokenizer.NewStream), MicroTokens: max(flags.BatchTokens, flags.MaxLength),
	}
}
