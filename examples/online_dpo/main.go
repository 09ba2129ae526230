// Online_dpo lets a language model learn from comparisons of its own answers: it
// answers questions, a judge says which of its answers is better, it learns from
// that, and answers again. The judge is a rule that knows the right answer, or a
// language model that reads both answers in both orders.
//
//	go run ./examples/online_dpo
//	go run ./examples/online_dpo -model gemma-3-270m -data gsm8k_train.jsonl -out run1
//	go run ./examples/online_dpo -model gemma-3-270m -data questions.jsonl -judge big-model
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/online"
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/examples/internal/prefs"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/train/report"
)

var (
	flags = cli.Flags{Rank: 16, Steps: 60, BatchTokens: 2048, MaxLength: 512, Seed: 42, SaveEvery: 20}

	judge       = flag.String("judge", "", "Hugging Face `folder` or .gguf file of a language model that compares answers, \"embedded\" for the tiny one, which has no idea; empty for the rule")
	loss        = flag.String("loss", "sigmoid", "`name[:weight],…` as examples/dpo")
	beta        = flag.Float64("beta", 0.1, "how strongly the policy is held to the reference")
	prompts     = flag.Int("prompts", 32, "questions a round")
	answers     = flag.Int("answers", 4, "answers a question; the best and the worst become a pair")
	pairs       = flag.Int("pairs", 16, "pairs an optimizer step")
	perRound    = flag.Int("steps-per-round", 1, "optimizer steps between two rounds: 1 is online DPO, more iterative DPO")
	follow      = flag.Bool("follow", false, "compare with the policy that began the round, instead of with that at the start")
	maxTokens   = flag.Int("max-tokens", 0, "longest answer; 0 for 8 with the embedded model, else 256")
	temperature = flag.Float64("temperature", 0.9, "of the answers that are compared")
)

func main() {
	cli.Main(&flags, "Online_dpo lets a language model learn from comparisons of its own answers.", run)
}

func run(ctx context.Context) error {
	l, err := prefs.ParseLoss(*loss)
	if err != nil {
		return err
	}
	if flags.Full {
		return fmt.Errorf("-full: got it, want an adapter: the reference is the model without it")
	}
	out := cli.NewProgress(flags.JSON)
	c, err := flags.Open()
	if err != nil {
		return err
	}
	defer c.Close()
	in, err := prefs.OpenQuestions(ctx, &flags, c)
	if err != nil {
		return err
	}
	out.Say("%s: %d questions, %d held out", c.Path, len(in.Training), len(in.Evaluation))
	p, err := prefs.Policy(&flags, c)
	if err != nil {
		return err
	}
	exam, err := prefs.NewExam(&flags, c, p, in, limit())
	if err != nil {
		return err
	}
	defer exam.Close()
	j, closeJudge, err := prefs.OpenJudge(&flags, *judge, in)
	if err != nil {
		return err
	}
	defer closeJudge()
	t, err := trainer(p, in, l, j, exam)
	if err != nil {
		return err
	}
	return prefs.Run(ctx, &flags, t, out)
}

// limit is the longest answer.
func limit() int {
	switch {
	case *maxTokens > 0:
		return *maxTokens
	case flags.Model == "":
		return 8
	}
	return 256
}

// trainer puts policy, questions, judge and options together.
func trainer(p dpo.Policy, in *prefs.Questions, l dpo.Loss, j online.Judge, exam *prefs.Exam) (*dpo.Trainer, error) {
	src, err := online.New(exam.Generator(), j, in.Training, online.Options{
		Prompts: *prompts, Answers: *answers, PairsPerStep: *pairs, StepsPerRound: *perRound, Seed: flags.Seed,
		Generate: generate.Options{MaxTokens: limit(), Temperature: *temperature},
	})
	if err != nil {
		return nil, err
	}
	o := dpo.Options{Loss: l, Beta: *beta, Device: flags.Device(), BaseModel: flags.Model}
	if *follow {
		o.Reference.Sync = dpo.Sync{Every: *perRound}
	}
	loop := flags.Loop(prefs.LearningRate(&flags))
	loop.Settings, err = json.Marshal(struct {
		Flags       cli.Flags   `json:"flags"`
		Judge       string      `json:"judge"`
		Loss        string      `json:"loss"`
		Source      string      `json:"source"`
		Computation dpo.Options `json:"computation"`
	}{flags, j.Name(), l.Name(), src.Fingerprint(), o})
	if err != nil {
		return nil, err
	}
	loop.Evaluator, loop.Sampler = exam, exam
	loop.Reporter = report.Run{Title: "Preferences among the policy's own answers", Notes: prefs.Notes()}
	return dpo.New(p, src, o, loop)
}
