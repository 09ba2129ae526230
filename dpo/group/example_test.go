package group_test

import (
	"context"
	"fmt"
	"log"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/group"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/train"
)

// Two answers together are preferred to two others: a varied group to one that
// says the same thing twice.
func Example() {
	m, err := auto.New([]byte(config), model.Random{Seed: 1, Std: 0.3}, model.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	batches, err := group.NewBatcher([]group.Group{
		{Prompt: []int32{1, 2}, Chosen: [][]int32{{10, 0}, {11, 0}}, Rejected: [][]int32{{12, 0}, {12, 0}}},
		{Prompt: []int32{1, 3}, Chosen: [][]int32{{20, 0}, {21, 0}}, Rejected: [][]int32{{22, 0}, {22, 0}}},
	}, group.BatchOptions{})
	if err != nil {
		log.Fatal(err)
	}
	adapter, err := lora.Attach(m, "default", lora.Config{Rank: 4})
	if err != nil {
		log.Fatal(err)
	}
	trainer, err := dpo.New(dpo.Policy{Model: m, Adapter: adapter}, batches, dpo.Options{Loss: group.MDPO{K: 2}, Beta: 0.5},
		train.Options{Optimizer: train.AdamW{LR: 1e-2}, MaxSteps: 20})
	if err != nil {
		log.Fatal(err)
	}
	for step, err := range trainer.Steps(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		if step.N == 1 || step.N == trainer.TotalSteps() {
			fmt.Printf("step %d: loss %.2f\n", step.N, step.Loss)
		}
	}
	// Output:
	// step 1: loss 0.69
	// step 20: loss 0.02
}
