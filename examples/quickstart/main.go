// Quickstart fine-tunes a small embedded language model on sums, on this machine,
// in about a minute: it measures the model on sums it will never train on, trains
// an adapter, measures again, and writes a report.
//
//	go run ./examples/quickstart
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/eval"
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/examples/internal/tiny"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/sft"
	"github.com/posttrain/posttrain/train"
	"github.com/posttrain/posttrain/train/report"
)

func main() {
	steps := flag.Int("steps", 300, "optimizer steps")
	out := flag.String("out", "", "run folder; empty for a new temporary one")
	asJSON := flag.Bool("json", false, "print one JSON object a line")
	cli.Run("Quickstart fine-tunes a small embedded language model on sums, in about a minute.", func(ctx context.Context) error {
		return run(ctx, *out, *steps, *asJSON)
	})
}

func run(ctx context.Context, out string, steps int, asJSON bool) error {
	progress := cli.NewProgress(asJSON)
	progress.Expect(steps)
	if out == "" {
		var err error
		if out, err = os.MkdirTemp("", "posttrain-quickstart-"); err != nil {
			return err
		}
	}

	// A checkpoint: a Hugging Face folder or a GGUF file would be auto.Open(path, …).
	c, err := tiny.Open(auto.Options{})
	if err != nil {
		return err
	}
	_, eos, _ := c.Tokenizer.EOS()

	// Rows become tokens, tokens become packed batches.
	training, held := tiny.Rows()
	set, counts, err := data.Prepare(ctx, data.Slice[data.Row](training), c.Tokenizer, data.PrepareOptions{EOS: eos})
	if err != nil {
		return err
	}
	batches, err := data.NewBatcher(set, data.BatchOptions{TokensPerStep: 2048, TokensPerMicro: 2048, Seed: 42})
	if err != nil {
		return err
	}
	progress.Say("%s: %v", c.Path, counts)

	// An adapter of rank 16 on every linear layer is what learns.
	adapter, err := lora.Attach(c.Model, "default", lora.Config{Rank: 16, Seed: 42})
	if err != nil {
		return err
	}

	// Held-out sums are asked before and after; an answer counts when it is right.
	gen, err := generate.New(c.Model, generate.Config{Adapter: adapter.Name(), Sequences: 32, Context: 32, Decode: generate.Text(c.Tokenizer.NewStream)})
	if err != nil {
		return err
	}
	defer gen.Close()
	questions, err := eval.Questions(ctx, data.Slice[data.Row](held), eval.QuestionOptions{Encoder: c.Tokenizer})
	if err != nil {
		return err
	}
	exam, err := eval.NewExactMatch(gen, questions, eval.ExactMatchOptions{Generate: generate.Options{MaxTokens: 8}})
	if err != nil {
		return err
	}

	trainer, err := sft.New(sft.Policy{Model: c.Model, Adapter: adapter}, batches, sft.Options{MicroTokens: 2048}, train.Options{
		Optimizer: train.AdamW{LR: 4e-3}, Schedule: train.Cosine{Warmup: train.Warmup{Steps: 10}}, MaxSteps: steps,
		EvalEvery: 50, Watch: train.Watch{Metric: "eval_exact_match", HigherIsBetter: true}, Out: out,
		Evaluator: exam, Sampler: exam, Reporter: report.Run{},
	})
	if err != nil {
		return err
	}
	if err := trainer.Train(ctx, train.Hooks{Event: progress.Event}); err != nil {
		return err
	}

	before, after, ok := exam.FirstAndLast()
	if !ok {
		return fmt.Errorf("the model was evaluated less than twice")
	}
	var table eval.Table
	if err := table.Add(&before.Measurement, &after.Measurement); err != nil {
		return err
	}
	progress.Say("\n%s\nThe adapter is in %s\nand the report in %s", table.String(), out, filepath.Join(out, "report.html"))
	return nil
}
