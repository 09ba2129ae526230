package unpaired_test

import (
	"context"
	"fmt"
	"log"
	"testing/fstest"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/unpaired"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/train"
)

const (
	untrained = `{"model_type": "llama", "vocab_size": 256, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
		"num_attention_heads": 4, "max_position_embeddings": 64, "tie_word_embeddings": true}`
	thumbs = `{"prompt": "2+2=", "completion": "4", "label": true}
{"prompt": "2+3=", "completion": "five, I guess", "label": false}
{"prompt": "3+1=", "completion": "4", "label": true}
{"prompt": "1+2=", "completion": "12", "label": false}`
)

// A fresh adapter learns from answers with a thumb up or down; the reference is the
// model without it. With a checkpoint, auto.Open gives model and tokenizer, and
// data.OpenLabelled reads a file.
func Example() {
	ctx := context.Background()
	m, err := auto.New([]byte(untrained), model.Random{Seed: 1, Std: 0.2}, model.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	files := fstest.MapFS{"thumbs.jsonl": {Data: []byte(thumbs)}}
	texts, err := data.OpenLabelledFS(files, "thumbs.jsonl", "", data.ReadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	rows, report, err := unpaired.Prepare(ctx, texts, letters{}, unpaired.PrepareOptions{EOS: "\n"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report)
	batches, err := unpaired.NewBatcher(rows, unpaired.BatchOptions{RowsPerStep: 4, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	adapter, err := lora.Attach(m, "default", lora.Config{Rank: 8, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	trainer, err := unpaired.New(dpo.Policy{Model: m, Adapter: adapter}, batches, unpaired.Options{Beta: 0.5},
		train.Options{Optimizer: train.AdamW{LR: 1e-2}, MaxSteps: 30}) // Out: "run1" would keep checkpoints, logs and a report
	if err != nil {
		log.Fatal(err)
	}
	for step, err := range trainer.Steps(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		if step.N == 1 || step.N == trainer.TotalSteps() {
			margin, _ := step.Metrics.Value("rewards/margins")
			fmt.Printf("step %d: loss %.2f, margin above 1: %t\n", step.N, step.Loss, margin > 1)
		}
	}
	// Output:
	// 4 of 4 answers kept (2 desirable, 2 not), 37 tokens
	// step 1: loss 0.50, margin above 1: false
	// step 30: loss 0.00, margin above 1: true
}

// letters is a tokenizer that gives each character its code.
type letters struct{}

// AppendIDs implements data.Encoder.
func (letters) AppendIDs(dst []int32, text string, _ bool) []int32 {
	for i := range len(text) {
		dst = append(dst, int32(text[i]))
	}
	return dst
}
