// Sft fine-tunes a language model on rows of text, prompts with completions, or
// conversations, measures it before and after, and writes an adapter (or, with
// -full, a model) that other tools load.
//
//	go run ./examples/sft -model gemma-3-270m-q4_k_m.gguf -data train.jsonl -eval-data test.jsonl -out run1
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/sft"
)

var (
	flags  = cli.Flags{Rank: 16, Steps: 100, BatchTokens: 2048, MaxLength: 1024, Seed: 42, SaveEvery: 50}
	memory = cli.MemoryFlags("row", 512)

	assistant = flag.Bool("assistant-only", false, "learn from the assistant's turns only (conversations)")
	loss      = flag.String("loss", "nll", "nll, or dft (weights each token by its own probability)")
	smoothing = flag.Float64("label-smoothing", 0, "share of the target that is spread over the vocabulary")
	neftune   = flag.Float64("neftune", 0, "strength of noise on embeddings; 5 is usual")
	stream    = flag.Bool("stream", false, "read -data as training goes: for files larger than memory; evaluation rows come from -eval-data alone")
)

func main() {
	cli.Main(&flags, "Sft fine-tunes a language model on rows of text, prompts with completions, or conversations.", run)
}

func run(ctx context.Context) error {
	out := cli.NewProgress(flags.JSON)
	c, err := flags.Open()
	if err != nil {
		return err
	}
	defer c.Close()
	src, in, err := batches(ctx, c)
	if err != nil {
		return err
	}
	if s, ok := src.(*data.Stream); ok {
		defer s.Close()
	} else {
		out.Say("%s: %v", c.Path, in)
	}
	policy := sft.Policy{Model: c.Model}
	if !flags.Full {
		if err := addAdapter(&policy); err != nil {
			return err
		}
	}
	measures, err := in.Measures(ctx, policy.AdapterName())
	if err != nil {
		return err
	}
	defer measures.Close()
	t, err := trainer(policy, c, src, measures)
	if err != nil {
		return err
	}
	out.Expect(t.TotalSteps())
	if err := flags.Train(ctx, t, out.Event); err != nil {
		return err
	}
	table, err := measures.Table()
	out.Say("\n%s", table)
	return err
}

// target says which tokens the model learns to say.
func target() data.Loss {
	if *assistant {
		return data.LossAssistant
	}
	return data.LossDefault
}

// trainer puts policy, data and options together.
func trainer(p sft.Policy, c *auto.Checkpoint, src source, m *cli.Measures) (*sft.Trainer, error) {
	o := sft.Options{NEFTuneAlpha: *neftune, MicroTokens: src.Options().TokensPerMicro, Recompute: memory.Recompute, Seed: flags.Seed, Device: flags.Device(), BaseModel: flags.Model}
	switch *loss {
	case "nll":
		o.Loss = sft.NLL{LabelSmoothing: *smoothing}
	case "dft":
		o.Loss = sft.DFT{}
	default:
		return nil, fmt.Errorf("-loss: got %q, want nll or dft", *loss)
	}
	o.Export = flags.Export(c)
	kind, tokens := adapterSettings()
	loop := flags.Loop(flags.LearningRate())
	var err error
	loop.Settings, err = json.Marshal(struct {
		Flags       cli.Flags   `json:"flags"`
		Loss        string      `json:"loss"`
		Smoothing   float64     `json:"label_smoothing,omitempty"`
		Assistant   bool        `json:"assistant_only,omitempty"`
		Stream      bool        `json:"stream,omitempty"`
		Method      string      `json:"method,omitempty"`
		Virtual     int         `json:"virtual_tokens,omitempty"`
		Computation sft.Options `json:"computation"`
	}{flags, *loss, *smoothing, *assistant, *stream, kind, tokens, o})
	if err != nil {
		return nil, err
	}
	loop.Evaluator, loop.Sampler = m, m
	return sft.New(p, src, o, loop)
}
