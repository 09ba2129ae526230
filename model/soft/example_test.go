package soft_test

import (
	"fmt"
	"log"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/soft"
)

// Twenty virtual tokens whose keys and values are learned in every layer.
func ExampleAttach() {
	m, err := auto.New([]byte(`{"model_type": "llama", "vocab_size": 32, "hidden_size": 16, "intermediate_size": 24,
		"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}`), model.Random{Seed: 1}, model.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	p, err := soft.Attach(m, "tuned", soft.Config{Kind: soft.PrefixTuning})
	if err != nil {
		log.Fatal(err)
	}
	for name, q := range p.Params() {
		fmt.Println(name, q.Shape())
	}
	fmt.Println(model.VirtualTokens(m, "tuned"), "virtual tokens")
	// Output:
	// prompt_encoder.embedding.weight [20 32]
	// 20 virtual tokens
}
