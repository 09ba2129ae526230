package qwen_test

import (
	"testing"

	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/model/qwen"
)

func TestConformance(t *testing.T) {
	two, three := qwen.Families()[0], qwen.Families()[1]
	t.Run("qwen2", func(t *testing.T) {
		modeltest.Run(t, two, `{"model_type": "qwen2", "vocab_size": 31, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
			"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64, "tie_word_embeddings": true, "rope_theta": 1000000.0}`)
	})
	t.Run("qwen2, layers from 1 on slide", func(t *testing.T) {
		modeltest.Run(t, two, `{"model_type": "qwen2", "vocab_size": 31, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3,
			"num_attention_heads": 2, "max_position_embeddings": 64, "use_sliding_window": true, "sliding_window": 4, "max_window_layers": 1}`)
	})
	t.Run("qwen3", func(t *testing.T) {
		modeltest.Run(t, three, `{"model_type": "qwen3", "vocab_size": 31, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
			"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 64, "attention_bias": true}`)
	})
	t.Run("qwen3_moe", func(t *testing.T) {
		modeltest.Run(t, qwen.Families()[2], `{"model_type": "qwen3_moe", "vocab_size": 31, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3,
			"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 64, "num_experts": 5, "num_experts_per_tok": 3,
			"moe_intermediate_size": 12, "mlp_only_layers": [1]}`)
	})
}
