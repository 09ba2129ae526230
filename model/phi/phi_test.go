package phi_test

import (
	"fmt"
	"testing"

	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/model/phi"
)

const sizes = `{"model_type": "phi3", "vocab_size": 29, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
	"num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 64`

func TestConformance(t *testing.T) {
	for name, special := range map[string]string{
		"Window": `"sliding_window": 4`,
		"LongRoPE": `"original_max_position_embeddings": 8, "partial_rotary_factor": 0.75, "tie_word_embeddings": true,
			"rope_scaling": {"type": "longrope", "short_factor": [1, 1.5, 2], "long_factor": [1, 3, 6]}`,
	} {
		t.Run(name, func(t *testing.T) { modeltest.Run(t, phi.Families()[0], sizes+", "+special+"}") })
	}
}

func ExampleFamilies() {
	for _, f := range phi.Families() {
		fmt.Println(f.ModelType, f.Class)
	}
	// Output:
	// phi3 Phi3ForCausalLM
}
