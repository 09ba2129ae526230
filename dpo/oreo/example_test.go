package oreo_test

import (
	"context"
	"fmt"
	"log"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/oreo"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/train"
)

// Single answers with rewards, two good and two bad ones.
func Example() {
	m, err := auto.New([]byte(config), model.Random{Seed: 1, Std: 0.3}, model.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	batches, err := oreo.NewBatcher([]oreo.Trajectory{
		{Prompt: []int32{1, 2}, Answer: []int32{10, 11, 0}, Reward: 1},
		{Prompt: []int32{1, 2}, Answer: []int32{10, 12, 0}},
		{Prompt: []int32{1, 3}, Answer: []int32{20, 21, 0}},
		{Prompt: []int32{1, 3}, Answer: []int32{22, 21, 0}, Reward: 1},
	}, oreo.BatchOptions{})
	if err != nil {
		log.Fatal(err)
	}
	adapter, err := lora.Attach(m, "default", lora.Config{Rank: 4})
	if err != nil {
		log.Fatal(err)
	}
	critic, err := lora.Attach(m, "critic", lora.Config{Rank: 4})
	if err != nil {
		log.Fatal(err)
	}
	trainer, err := oreo.New(dpo.Policy{Model: m, Adapter: adapter}, batches,
		oreo.Options{Beta: 0.2, Critic: dpo.Policy{Model: m, Adapter: critic}},
		train.Options{Optimizer: train.AdamW{LR: 2e-2}, MaxSteps: 60})
	if err != nil {
		log.Fatal(err)
	}
	for step, err := range trainer.Steps(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		if step.N == 1 || step.N == trainer.TotalSteps() {
			fmt.Printf("step %d: loss %.1f\n", step.N, step.Loss)
		}
	}
	// Output:
	// step 1: loss 1.0
	// step 60: loss 0.0
}
