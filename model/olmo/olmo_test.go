package olmo_test

import (
	"fmt"
	"testing"

	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/model/olmo"
)

func TestConformance(t *testing.T) {
	modeltest.Run(t, olmo.Families()[0], `{"model_type": "olmo2", "vocab_size": 29, "hidden_size": 16, "intermediate_size": 24,
		"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64}`)
}

func ExampleFamilies() {
	for _, f := range olmo.Families() {
		fmt.Println(f.ModelType, f.Class)
	}
	// Output:
	// olmo2 Olmo2ForCausalLM
}
