package process_test

import (
	"context"
	"fmt"
	"log"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/reward"
	"github.com/posttrain/posttrain/reward/process"
	"github.com/posttrain/posttrain/train"
)

const untrained = `{"model_type": "llama", "vocab_size": 256, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
	"num_attention_heads": 4, "max_position_embeddings": 64, "tie_word_embeddings": true}`

// letters is a tokenizer that gives each character its code.
type letters struct{}

// AppendIDs implements data.Encoder.
func (letters) AppendIDs(dst []int32, text string, _ bool) []int32 {
	for i := range len(text) {
		dst = append(dst, int32(text[i]))
	}
	return dst
}

// A model with a head of two classes learns which steps are wrong. data.OpenSteps
// reads a file.
func Example() {
	ctx := context.Background()
	m, err := auto.New([]byte(untrained), model.Random{Seed: 1, Std: 0.2}, model.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	net := reward.Net{Model: m}
	if net.Head, err = model.NewHead(m, model.TokenClassification, model.Labels(2), 1); err != nil {
		log.Fatal(err)
	}
	rows := data.Slice[data.StepRow]{
		{Prompt: "2+3+4?", Completions: []string{"2+3=5", "5+4=9"}, Labels: []bool{true, true}},
		{Prompt: "2+3+4?", Completions: []string{"2+3=6", "6+4=10"}, Labels: []bool{false, true}},
		{Prompt: "1+3+2?", Completions: []string{"1+3=4", "4+2=8"}, Labels: []bool{true, false}},
	}
	groups, report, err := process.Prepare(ctx, process.Rows(rows), letters{}, process.PrepareOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report)
	src, err := reward.NewBatcher(groups, reward.BatchOptions{GroupsPerStep: 3, ScoreAt: reward.MarkedTokens})
	if err != nil {
		log.Fatal(err)
	}
	trainer, err := reward.New(net, src, reward.Options{Loss: process.Loss{}}, train.Options{Optimizer: train.AdamW{LR: 5e-3}, MaxSteps: 40})
	if err != nil {
		log.Fatal(err)
	}
	for step, err := range trainer.Steps(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		if step.N == trainer.TotalSteps() {
			accuracy, _ := step.Metrics.Value("accuracy")
			fmt.Printf("step %d: %.0f %% of the steps judged right\n", step.N, 100*accuracy)
		}
	}
	judge, err := process.NewModel(net, process.ModelOptions{Encoder: letters{}, Aggregate: process.Min})
	if err != nil {
		log.Fatal(err)
	}
	steps, err := judge.Score(ctx, []process.Solution{{Prompt: "2+3+4?", Steps: []string{"2+3=6", "6+4=10"}}})
	fmt.Println(steps[0][0] < 0.5, steps[0][1] > 0.5, err)
	// Output:
	// 3 of 3 solutions kept, 55 tokens, 6 steps of which 4 are good
	// step 40: 100 % of the steps judged right
	// true true <nil>
}
