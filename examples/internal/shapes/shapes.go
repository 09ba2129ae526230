package shapes

import (
	"fmt"
	"maps"
	"slices"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/tensor"
)

// configs holds config.json of each shape.
var configs = map[string]string{
	"smollm2-135m": `{"model_type":"llama","vocab_size":49152,"hidden_size":576,"intermediate_size":1536,"num_hidden_layers":30,
		"num_attention_heads":9,"num_key_value_heads":3,"max_position_embeddings":8192,"rms_norm_eps":1e-5,"hidden_act":"silu",
		"tie_word_embeddings":true,"rope_theta":100000}`,
	"qwen2.5-0.5b": `{"model_type":"qwen2","vocab_size":151936,"hidden_size":896,"intermediate_size":4864,"num_hidden_layers":24,
		"num_attention_heads":14,"num_key_value_heads":2,"max_position_embeddings":32768,"rms_norm_eps":1e-6,"hidden_act":"silu",
		"tie_word_embeddings":true,"rope_theta":1000000,"use_sliding_window":false,"sliding_window":32768,"max_window_layers":24}`,
	"gemma3-270m": `{"model_type":"gemma3_text","vocab_size":262144,"hidden_size":640,"intermediate_size":2048,"num_hidden_layers":18,
		"num_attention_heads":4,"num_key_value_heads":1,"head_dim":256,"max_position_embeddings":32768,"rms_norm_eps":1e-6,
		"hidden_activation":"gelu_pytorch_tanh","tie_word_embeddings":true,"rope_theta":1000000,"rope_local_base_freq":10000,
		"sliding_window":512,"_sliding_window_pattern":6,"query_pre_attn_scalar":256}`,
}

// Names lists the shapes.
func Names() []string { return slices.Sorted(maps.Keys(configs)) }

// New makes a model of a named shape with random weights, matrices stored as
// weights says.
func New(shape string, weights tensor.Dtype, seed uint64) (model.Model, error) {
	raw, ok := configs[shape]
	if !ok {
		return nil, fmt.Errorf("got shape %q, want one of %v", shape, Names())
	}
	return auto.New([]byte(raw), uniform{seed: seed}, model.LoadOptions{Weights: weights, SkipFiniteCheck: true})
}
