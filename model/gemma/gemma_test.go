package gemma_test

import (
	"testing"

	"github.com/posttrain/posttrain/model/gemma"
	"github.com/posttrain/posttrain/model/modeltest"
)

func TestConformance(t *testing.T) {
	modeltest.Run(t, gemma.Families()[0], `{"model_type": "gemma3_text", "vocab_size": 37, "hidden_size": 16, "intermediate_size": 24,
		"num_hidden_layers": 3, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 10, "max_position_embeddings": 64,
		"query_pre_attn_scalar": 12, "sliding_window": 4, "sliding_window_pattern": 3, "rope_scaling": {"rope_type": "linear", "factor": 8.0}}`)
}
