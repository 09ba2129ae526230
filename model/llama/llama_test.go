package llama_test

import (
	"testing"

	"github.com/posttrain/posttrain/model/llama"
	"github.com/posttrain/posttrain/model/modeltest"
)

// configs are tiny models, by what they show.
var configs = map[string]string{
	"llama, untied, grouped, wide heads": `{"model_type": "llama", "vocab_size": 29, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
		"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6, "max_position_embeddings": 64, "rms_norm_eps": 1e-5}`,
	"llama, tied, biases": `{"model_type": "llama", "vocab_size": 29, "hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 3,
		"num_attention_heads": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-3, "tie_word_embeddings": true,
		"attention_bias": true, "mlp_bias": true, "hidden_act": "gelu"}`,
	"llama, dynamic positions": `{"model_type": "llama", "vocab_size": 29, "hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 2,
		"num_attention_heads": 2, "max_position_embeddings": 8, "rope_scaling": {"type": "dynamic", "factor": 2.0}}`,
	"mistral, window of 5": `{"model_type": "mistral", "vocab_size": 29, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
		"num_attention_heads": 4, "num_key_value_heads": 1, "max_position_embeddings": 64, "sliding_window": 5}`,
}

func TestConformance(t *testing.T) {
	for name, config := range configs {
		f := llama.Families()[0]
		if name == "mistral, window of 5" {
			f = llama.Families()[1]
		}
		t.Run(name, func(t *testing.T) { modeltest.Run(t, f, config) })
	}
}
