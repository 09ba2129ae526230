package qwen

import (
	"fmt"

	"github.com/posttrain/posttrain/model"
)

// Families lists the kinds of models of this package. Both have use_sliding_window
// off unless config.json turns it on.
func Families() []model.Family {
	d := model.Defaults{WindowOff: true, SlidingWindow: 4096, FullLayers: 28}
	three := d
	three.HeadDim = 128
	return []model.Family{
		{ModelType: "qwen2", Class: "Qwen2ForCausalLM", New: New, Defaults: d, GGUF: &model.GGUF{Architecture: "qwen2"}},
		{ModelType: "qwen3", Class: "Qwen3ForCausalLM", New: New, Defaults: three, GGUF: &model.GGUF{Architecture: "qwen3"}},
	}
}

// New builds a model from its configuration and weights.
func New(c *model.Config, l *model.Loader) (model.Model, error) {
	three := c.ModelType == "qwen3"
	bias := model.Biases{QKV: true}
	if three {
		bias = model.Biases{QKV: c.AttentionBias, O: c.AttentionBias}
	}
	blocks := make([]model.Block, c.NumHiddenLayers)
	for i := range blocks {
		path := fmt.Sprintf("model.layers.%d", i)
		b := &model.PreNorm{
			AttnNorm: l.RMSNorm(path+".input_layernorm", c.HiddenSize),
			Attn:     l.LoadAttention(path+".self_attn", i, bias),
			MLPNorm:  l.RMSNorm(path+".post_attention_layernorm", c.HiddenSize),
			MLP:      l.LoadGatedMLP(path + ".mlp"),
		}
		if three {
			b.Attn.QNorm = l.RMSNorm(path+".self_attn.q_norm", c.HeadDim)
			b.Attn.KNorm = l.RMSNorm(path+".self_attn.k_norm", c.HeadDim)
		}
		blocks[i] = b
	}
	return model.NewDecoder(c, l, blocks)
}
