package sft_test

import (
	"context"
	"fmt"
	"log"
	"testing/fstest"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/sft"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/train"
)

// letters is a tokenizer that gives each character its code; a checkpoint brings
// its own.
type letters struct{}

func (letters) AppendIDs(dst []int32, text string, _ bool) []int32 {
	for _, b := range []byte(text) {
		dst = append(dst, int32(b))
	}
	return dst
}

const (
	untrained = `{"model_type": "llama", "vocab_size": 128, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
		"num_attention_heads": 4, "max_position_embeddings": 64, "tie_word_embeddings": true}`
	capitals = `{"prompt": "France: ", "completion": "Paris"}
{"prompt": "Italy: ", "completion": "Rome"}
{"prompt": "Peru: ", "completion": "Lima"}
{"prompt": "Kenya: ", "completion": "Nairobi"}`
)

// An adapter learns completions. With a checkpoint, auto.Open gives model and
// tokenizer, and data.Open reads a file.
func Example() {
	ctx := context.Background()
	m, err := auto.New([]byte(untrained), model.Random{Seed: 1, Std: 0.4}, model.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	files := fstest.MapFS{"capitals.jsonl": {Data: []byte(capitals)}}
	rows, err := data.OpenFS(files, "capitals.jsonl", "", data.ReadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	set, report, err := data.Prepare(ctx, rows, letters{}, data.PrepareOptions{EOS: "\n"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report)
	batches, err := data.NewBatcher(set, data.BatchOptions{TokensPerStep: 64, TokensPerMicro: 64, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	adapter, err := lora.Attach(m, "default", lora.Config{Rank: 8, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	trainer, err := sft.New(sft.Policy{Model: m, Adapter: adapter}, batches, sft.Options{},
		train.Options{Optimizer: train.AdamW{LR: 2e-2}, MaxSteps: 100}) // Out: "run1" would keep checkpoints, logs and a report
	if err != nil {
		log.Fatal(err)
	}
	for step, err := range trainer.Steps(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		if step.N == 1 || step.N == trainer.TotalSteps() {
			fmt.Printf("step %d: loss %.1f\n", step.N, step.Loss)
		}
	}
	// Output:
	// 4 of 4 rows kept, 52 tokens, 24 of them targets
	// step 1: loss 7.2
	// step 100: loss 0.0
}

// A loss of one's own, in Gorgonia's ops or in those of package tensor: here the
// focal loss −(1−p)·log p, which counts sure tokens less (Lin et al. 2017,
// arXiv:1708.02002, with γ = 1).
func ExampleLossFunc() {
	focal := sft.LossFunc(func(in sft.Tokens) *tensor.Node {
		p := tensor.Exp(in.LogProb)
		return tensor.Sub(tensor.Mul(p, in.LogProb), in.LogProb)
	})
	fmt.Println(sft.Options{Loss: focal}.Validate(), focal.Name())
	// Output: <nil> custom
}

// What a run takes is known before anything is allocated.
func ExamplePlanMemory() {
	m, err := auto.New([]byte(untrained), model.Random{Seed: 1}, model.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	plan, err := sft.PlanMemory(sft.Policy{Model: m}, sft.Options{MicroTokens: 256})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("weights", plan.Weights, "gradients", plan.Gradients, "optimizer", plan.Optimizer)
	// Output: weights 98944 gradients 98944 optimizer 197888
}
