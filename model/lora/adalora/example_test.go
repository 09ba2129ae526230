package adalora_test

import (
	"fmt"
	"log"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/model/lora/adalora"
	"github.com/posttrain/posttrain/train"
)

// An adapter of rank 12 is to end with an average rank of 8. The allocator takes part
// in the steps of any trainer; here only its schedule is looked at.
func Example() {
	config, family, err := auto.ParseConfig([]byte(`{"model_type":"llama","vocab_size":50,"hidden_size":16,"intermediate_size":24,
		"num_hidden_layers":2,"num_attention_heads":4,"max_position_embeddings":64,"hidden_act":"silu"}`))
	if err != nil {
		log.Fatal(err)
	}
	m, err := family.New(config, model.NewLoader(config, model.Random{Seed: 1}, model.LoadOptions{}))
	if err != nil {
		log.Fatal(err)
	}
	budget := lora.Budget{TargetRank: 8, TotalSteps: 100, Warmup: 10, Final: 30}
	a, err := lora.Attach(m, "default", lora.Config{Method: lora.AdaLoRA, Rank: 12, Budget: budget})
	if err != nil {
		log.Fatal(err)
	}
	allocator, err := adalora.New(a)
	if err != nil {
		log.Fatal(err)
	}
	options := train.Options{MaxSteps: budget.TotalSteps, Companion: allocator} // for sft.New and its like
	layers := len(allocator.Ranks())
	for _, step := range []int{1, 10, 40, 70, options.MaxSteps} {
		ranks, _ := adalora.Schedule(a.Config().Budget, 12*layers, 8*layers, step)
		fmt.Printf("step %d: %d ranks in %d layers\n", step, ranks, layers)
	}
	// Output:
	// step 1: 168 ranks in 14 layers
	// step 10: 168 ranks in 14 layers
	// step 40: 119 ranks in 14 layers
	// step 70: 112 ranks in 14 layers
	// step 100: 112 ranks in 14 layers
}
