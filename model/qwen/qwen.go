package qwen

import (
	"fmt"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/nn"
)

// Families lists the kinds of models of this package. They have use_sliding_window
// off unless config.json turns it on.
func Families() []model.Family {
	d := model.Defaults{WindowOff: true, SlidingWindow: 4096, FullLayers: 28}
	three := d
	three.HeadDim = 128
	sparse := model.Defaults{WindowOff: true, SlidingWindow: 4096, HeadDim: 128, Experts: model.Experts{Count: 128, PerToken: 8, Size: 768, Balance: 0.001}}
	return []model.Family{
		{ModelType: "qwen2", Class: "Qwen2ForCausalLM", New: New, Defaults: d, GGUF: &model.GGUF{Architecture: "qwen2"}},
		{ModelType: "qwen3", Class: "Qwen3ForCausalLM", New: New, Defaults: three, GGUF: &model.GGUF{Architecture: "qwen3"}},
		{ModelType: "qwen3_moe", Class: "Qwen3MoeForCausalLM", New: New, Defaults: sparse},
	}
}

// New builds a model from its configuration and weights.
func New(c *model.Config, l *model.Loader) (model.Model, error) {
	three := c.ModelType != "qwen2"
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
			MLP:      feedForward(c, l, path+".mlp", i),
		}
		if three {
			b.Attn.QNorm = l.RMSNorm(path+".self_attn.q_norm", c.HeadDim)
			b.Attn.KNorm = l.RMSNorm(path+".self_attn.k_norm", c.HeadDim)
		}
		blocks[i] = b
	}
	return model.NewDecoder(c, l, blocks)
}

// feedForward loads the feed-forward block of layer i: a mixture of experts where the
// configuration says so.
func feedForward(c *model.Config, l *model.Loader, path string, i int) nn.FeedForward {
	if c.Experts.Sparse(i) {
		return l.LoadMoE(path, model.MoENames{Gate: "gate_proj", Up: "up_proj", Down: "down_proj"})
	}
	return l.LoadGatedMLP(path)
}
