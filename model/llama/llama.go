package llama

import (
	"fmt"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor/gguf"
)

// Families lists the kinds of models of this package.
func Families() []model.Family {
	return []model.Family{
		{ModelType: "llama", Class: "LlamaForCausalLM", New: New, GGUF: &model.GGUF{Architecture: "llama", PairedQK: true, Config: windowed}},
		{ModelType: "mistral", Class: "MistralForCausalLM", New: New, Defaults: model.Defaults{SlidingWindow: 4096}},
	}
}

// windowed tells Mistral from Llama: GGUF files of both have architecture llama.
func windowed(f *gguf.File, fields map[string]any) error {
	if _, ok := fields["sliding_window"]; ok {
		fields["model_type"], fields["architectures"] = "mistral", []string{"MistralForCausalLM"}
	}
	return nil
}

// New builds a model from its configuration and weights. attention_bias adds a
// bias to all four projections, as in transformers.
func New(c *model.Config, l *model.Loader) (model.Model, error) {
	blocks := make([]model.Block, c.NumHiddenLayers)
	bias := model.Biases{QKV: c.AttentionBias, O: c.AttentionBias}
	for i := range blocks {
		path := fmt.Sprintf("model.layers.%d", i)
		blocks[i] = &model.PreNorm{
			AttnNorm: l.RMSNorm(path+".input_layernorm", c.HiddenSize),
			Attn:     l.LoadAttention(path+".self_attn", i, bias),
			MLPNorm:  l.RMSNorm(path+".post_attention_layernorm", c.HiddenSize),
			MLP:      l.LoadGatedMLP(path + ".mlp"),
		}
	}
	return model.NewDecoder(c, l, blocks)
}
