// Custom_loss fine-tunes the embedded tiny model on sums with a loss of its own,
// written with Gorgonia's ops (loss.go), and sets the answers before and after
// against each other.
//
//	go run ./examples/custom_loss
//	go run ./examples/custom_loss -loss focal -gamma 2
package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/eval"
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/examples/internal/tiny"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/sft"
	"github.com/posttrain/posttrain/train"
)

var (
	loss   = flag.String("loss", "focal", "focal, clipped (margin-clipped NLL), or quiet (focal, with a penalty on hidden states)")
	gamma  = flag.Float64("gamma", 1, "exponent of the focal loss")
	margin = flag.Float64("margin", 0.05, "nats that the clipped NLL forgives")
	weight = flag.Float64("weight", 0.01, "of the penalty on hidden states")
	steps  = flag.Int("steps", 100, "optimizer steps")
	asJSON = flag.Bool("json", false, "print one JSON object a line and nothing else")
)

func main() {
	cli.Run("Custom_loss fine-tunes the embedded tiny model with a loss written with Gorgonia's ops.", run)
}

func run(ctx context.Context) error {
	losses := map[string]sft.LossFunc{"focal": focal(*gamma), "clipped": clippedNLL(*margin), "quiet": quiet(focal(*gamma), *weight)}
	mine, ok := losses[*loss]
	if !ok {
		return fmt.Errorf("-loss: got %q, want focal, clipped or quiet", *loss)
	}
	if *steps < 1 || !(*gamma >= 1) || !(*margin >= 0) || !(*weight >= 0) {
		return fmt.Errorf("got -steps %d, -gamma %g, -margin %g and -weight %g, want the first two at least 1 and the others at least 0", *steps, *gamma, *margin, *weight)
	}
	c, err := tiny.Open(auto.Options{})
	if err != nil {
		return err
	}
	adapter, err := lora.Attach(c.Model, "default", lora.Config{Rank: 16, Seed: 42})
	if err != nil {
		return err
	}
	batches, exam, err := prepare(ctx, c, adapter.Name())
	if err != nil {
		return err
	}
	progress := cli.NewProgress(*asJSON)
	progress.Expect(*steps)
	// The loss is a value like any other option.
	trainer, err := sft.New(sft.Policy{Model: c.Model, Adapter: adapter}, batches, sft.Options{Loss: mine, MicroTokens: 1024}, train.Options{
		Optimizer: train.AdamW{LR: 4e-3}, Schedule: train.Cosine{Warmup: train.Warmup{Steps: 10}}, MaxSteps: *steps, Evaluator: exam,
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
	progress.Say("\n%s", table.String())
	return nil
}

// prepare makes the batches and the questions of the embedded sums.
func prepare(ctx context.Context, c *auto.Checkpoint, adapter string) (*data.Batcher, *eval.ExactMatch, error) {
	training, held := tiny.Rows()
	_, eos, _ := c.Tokenizer.EOS()
	set, _, err := data.Prepare(ctx, data.Slice[data.Row](training), c.Tokenizer, data.PrepareOptions{EOS: eos})
	if err != nil {
		return nil, nil, err
	}
	batches, err := data.NewBatcher(set, data.BatchOptions{TokensPerStep: 1024, TokensPerMicro: 1024, Seed: 42})
	if err != nil {
		return nil, nil, err
	}
	questions, err := eval.Questions(ctx, data.Slice[data.Row](held), eval.QuestionOptions{Encoder: c.Tokenizer})
	if err != nil {
		return nil, nil, err
	}
	gen, err := generate.New(c.Model, generate.Config{Adapter: adapter, Sequences: 32, Context: 32, Decode: generate.Text(c.Tokenizer.NewStream)})
	if err != nil {
		return nil, nil, err
	}
	exam, err := eval.NewExactMatch(gen, questions, eval.ExactMatchOptions{Generate: generate.Options{MaxTokens: 8}})
	return batches, exam, err
}
