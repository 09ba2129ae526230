package rlhf_test

import (
	"context"
	"fmt"

	"github.com/posttrain/posttrain/generate"
	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/train"
)

// A random model learns to begin its answers with a small token: it answers each
// prompt several times, a rule says what was right, and that becomes likelier.
func ExampleNew() {
	config := []byte(`{"model_type": "llama", "vocab_size": 50, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1,
		"num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 32, "eos_token_id": 0}`)
	m, err := auto.New(config, model.Random{Seed: 1, Std: 0.5}, model.LoadOptions{}) // or auto.Open(path, …)
	if err != nil {
		fmt.Println(err)
		return
	}
	adapter, err := lora.Attach(m, "default", lora.Config{Rank: 4, Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	prompts := []rollout.Prompt{{IDs: []int32{7, 8}}, {IDs: []int32{9}}}
	small := rollout.Each("small", func(_ context.Context, c *rollout.Completion) (float64, error) {
		if c.Tokens[0].ID < 10 {
			return 1, nil
		}
		return 0, nil
	})
	trainer, err := rlhf.New(rlhf.Policy{Model: m, Adapter: adapter}, prompts, []rollout.Reward{{By: small}}, rlhf.Options{
		Rollout:  rollout.Options{Prompts: 2, Completions: 16},
		Generate: generate.Options{MaxTokens: 2},
	}, train.Options{Optimizer: train.AdamW{LR: 3e-2}, MaxSteps: 40})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer trainer.Close()
	var first, last float64
	for step, err := range trainer.Steps(context.Background()) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if last, _ = step.Metrics.Value("reward"); step.N == 1 {
			first = last
		}
	}
	fmt.Println(first < 0.5, last > 0.9)
	// Output: true true
}
