// Quickstart teaches a small embedded language model to add, on this machine, in
// about a minute: it asks the model sums it will never train on, fine-tunes an adapter
// on right answers, asks again, lets it learn from its own answers, which a verifier
// checks, asks a last time, and writes reports.
//
//	go run ./examples/quickstart
package main

import (
	"context"
	"flag"
	"os"
	"path/filepath"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/eval"
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/examples/internal/tiny"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/train"
)

func main() {
	tuning := flag.Int("sft-steps", 20, "optimizer steps of fine-tuning")
	learning := flag.Int("grpo-steps", 160, "optimizer steps of learning from a verifier")
	out := flag.String("out", "", "run folder; empty for a new temporary one")
	asJSON := flag.Bool("json", false, "print one JSON object a line")
	cli.Run("Quickstart teaches a small embedded language model to add, in about a minute.", func(ctx context.Context) error {
		return run(ctx, *out, *tuning, *learning, cli.NewProgress(*asJSON))
	})
}

// student is what learns, on what, and how it is examined.
type student struct {
	*auto.Checkpoint
	adapter  *lora.Adapter
	training []data.Row
	exam     *eval.ExactMatch
	progress *cli.Progress
}

func run(ctx context.Context, out string, tuning, learning int, progress *cli.Progress) error {
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
	training, held := tiny.WithoutCarry()

	// An adapter of rank 16 on every linear layer is what learns.
	adapter, err := lora.Attach(c.Model, "default", lora.Config{Rank: 16, Seed: 42})
	if err != nil {
		return err
	}

	// Held-out sums are asked before, between and after; an answer counts when it is right.
	gen, err := generate.New(c.Model, generate.Config{Adapter: adapter.Name(), Sequences: 32, Context: 32, Decode: generate.Text(c.Tokenizer.NewStream)})
	if err != nil {
		return err
	}
	defer gen.Close()
	questions, err := eval.Questions(ctx, data.Slice[data.Row](held), eval.QuestionOptions{Encoder: c.Tokenizer})
	if err != nil {
		return err
	}
	exam, err := eval.NewExactMatch(gen, questions, eval.ExactMatchOptions{Generate: generate.Options{MaxTokens: mostTokens}})
	if err != nil {
		return err
	}

	s := student{c, adapter, training, exam, progress}
	if err := s.fineTune(ctx, filepath.Join(out, "sft"), tuning); err != nil {
		return err
	}
	start, tuned, _ := exam.FirstAndLast()
	if err := s.reinforce(ctx, filepath.Join(out, "grpo"), learning); err != nil {
		return err
	}
	_, learnt, _ := exam.FirstAndLast()
	return s.tell(out, start.Measurement, tuned.Measurement, learnt.Measurement)
}

// mostTokens is the most that an answer may have.
const mostTokens = 8

// loop are the settings that both ways of training share.
func (s *student) loop(out string, steps int, rate float64) train.Options {
	s.progress.Expect(steps)
	return train.Options{
		Optimizer: train.AdamW{LR: rate}, Schedule: train.Cosine{Warmup: train.Warmup{Steps: 5}}, MaxSteps: steps, Out: out,
		EvalEvery: 40, SampleEvery: steps, Watch: train.Watch{Metric: "eval_exact_match", HigherIsBetter: true}, Evaluator: s.exam,
	}
}

// tell prints what each part brought.
func (s *student) tell(out string, start, tuned, learnt eval.Measurement) error {
	var table eval.Table
	for _, part := range []struct {
		name          string
		before, after eval.Measurement
	}{{"fine-tuning", start, tuned}, {"verifier", tuned, learnt}, {"both", start, learnt}} {
		part.before.Name, part.after.Name = part.name, part.name
		if err := table.Add(&part.before, &part.after); err != nil {
			return err
		}
	}
	s.progress.Say("\nright answers to sums that were held out\n%s\nThe adapter is in %s\nand reports in %s and %s", table.String(), filepath.Join(out, "grpo"),
		filepath.Join(out, "sft", "report.html"), filepath.Join(out, "grpo", "report.html"))
	return nil
}
