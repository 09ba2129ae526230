package online_test

import (
	"context"
	"fmt"
	"log"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/online"
	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/train"
)

// A judge that likes short answers, and a policy that learns to give them. A
// verifier of package reward fits into Scored as well.
func Example() {
	m, err := auto.New([]byte(config), model.Random{Seed: 1, Std: 0.2}, model.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	adapter, err := lora.Attach(m, "default", lora.Config{Rank: 4})
	if err != nil {
		log.Fatal(err)
	}
	writer, err := generate.New(m, generate.Config{Adapter: "default", Sequences: 16, Context: 32}) // with Decode: judges read text
	if err != nil {
		log.Fatal(err)
	}
	defer writer.Close()
	brief := online.Scored("brief", func(_ context.Context, _ online.Question, a online.Answer) (float64, error) {
		return -float64(len(a.IDs)), nil
	})
	source, err := online.New(writer, brief, []online.Question{{Prompt: []int32{1, 2}}, {Prompt: []int32{1, 3}}},
		online.Options{Prompts: 2, Answers: 8, PairsPerStep: 2, Generate: generate.Options{MaxTokens: 12}})
	if err != nil {
		log.Fatal(err)
	}
	trainer, err := dpo.New(dpo.Policy{Model: m, Adapter: adapter}, source, dpo.Options{},
		train.Options{Optimizer: train.AdamW{LR: 2e-2}, MaxSteps: 30})
	if err != nil {
		log.Fatal(err)
	}
	var lengths []float64
	for step, err := range trainer.Steps(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		length, _ := step.Metrics.Value("completions/mean_length")
		lengths = append(lengths, length)
	}
	fmt.Println("answers became shorter:", lengths[29] < lengths[0]/2)
	// Output: answers became shorter: true
}
