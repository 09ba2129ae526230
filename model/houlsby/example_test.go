package houlsby_test

import (
	"fmt"
	"log"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/houlsby"
)

// Bottlenecks of eight features after both blocks of every layer.
func ExampleAttach() {
	m, err := auto.New([]byte(`{"model_type": "llama", "vocab_size": 32, "hidden_size": 16, "intermediate_size": 24,
		"num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 2}`), model.Random{Seed: 1}, model.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	a, err := houlsby.Attach(m, "tuned", houlsby.Config{Width: 8})
	if err != nil {
		log.Fatal(err)
	}
	for name, p := range a.Params() {
		fmt.Println(name, p.Shape())
	}
	fmt.Println("changes nothing yet:", a.Zero())
	// Output:
	// model.layers.0.self_attn.o_proj.adapter_down.weight [8 16]
	// model.layers.0.self_attn.o_proj.adapter_down.bias [8]
	// model.layers.0.self_attn.o_proj.adapter_up.weight [16 8]
	// model.layers.0.self_attn.o_proj.adapter_up.bias [16]
	// model.layers.0.mlp.down_proj.adapter_down.weight [8 16]
	// model.layers.0.mlp.down_proj.adapter_down.bias [8]
	// model.layers.0.mlp.down_proj.adapter_up.weight [16 8]
	// model.layers.0.mlp.down_proj.adapter_up.bias [16]
	// changes nothing yet: true
}
