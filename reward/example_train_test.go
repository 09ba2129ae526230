package reward_test

import (
	"context"
	"fmt"
	"log"
	"testing/fstest"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/train"
)

const (
	untrained = `{"model_type": "llama", "vocab_size": 256, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
		"num_attention_heads": 4, "max_position_embeddings": 64, "tie_word_embeddings": true}`
	comparisons = `{"prompt": "2+2=", "chosen": "4", "rejected": "five, I guess"}
{"prompt": "3+1=", "chosen": "4", "rejected": "more than 3"}
{"prompt": "1+2=", "chosen": "3", "rejected": "12"}
`
)

// letters is a tokenizer that gives each character its code.
type letters struct{}

// AppendIDs implements data.Encoder.
func (letters) AppendIDs(dst []int32, text string, _ bool) []int32 {
	for i := range len(text) {
		dst = append(dst, int32(text[i]))
	}
	return dst
}

// A fresh head and adapter learn which answers are preferred, and score others.
// With a checkpoint, auto.Open gives model, head and tokenizer, and data.OpenPairs
// reads a file.
func ExampleNew() {
	ctx := context.Background()
	m, err := auto.New([]byte(untrained), model.Random{Seed: 1, Std: 0.2}, model.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	files := fstest.MapFS{"sums.jsonl": {Data: []byte(comparisons)}}
	rows, err := data.OpenPairsFS(files, "sums.jsonl", "", data.ReadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	groups, report, err := reward.Prepare(ctx, reward.Pairs(rows), letters{}, reward.PrepareOptions{EOS: "\n"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report)
	batches, err := reward.NewBatcher(groups, reward.BatchOptions{GroupsPerStep: 3, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	net := reward.Net{Model: m}
	if net.Head, err = model.NewHead(m, model.SequenceClassification, nil, 1); err != nil {
		log.Fatal(err)
	}
	if net.Adapter, err = lora.Attach(net.Headed(), "default", lora.Config{Rank: 8, Seed: 1}); err != nil {
		log.Fatal(err)
	}
	trainer, err := reward.New(net, batches, reward.Options{Loss: reward.BradleyTerry{Centring: 0.01}},
		train.Options{Optimizer: train.AdamW{LR: 1e-2}, MaxSteps: 30}) // Out: "run1" would keep checkpoints, logs and a report
	if err != nil {
		log.Fatal(err)
	}
	for step, err := range trainer.Steps(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		if step.N == trainer.TotalSteps() {
			accuracy, _ := step.Metrics.Value("accuracy")
			fmt.Printf("step %d: %.0f %% in order\n", step.N, 100*accuracy)
		}
	}
	judge, err := reward.NewModel(net, reward.ModelOptions{Encoder: letters{}, EOS: "\n"})
	if err != nil {
		log.Fatal(err)
	}
	scores, err := judge.ScoreSamples(ctx, []reward.Sample{{Prompt: "2+2=", Completion: "4"}, {Prompt: "2+2=", Completion: "five, I guess"}})
	fmt.Println(scores[0] > scores[1], err)
	// Output:
	// 3 of 3 rows kept, 59 tokens
	// step 30: 100 % in order
	// true <nil>
}
