package mixtral

import (
	"fmt"

	"github.com/posttrain/posttrain/model"
)

// Families lists the kinds of models of this package.
func Families() []model.Family {
	return []model.Family{{ModelType: "mixtral", Class: "MixtralForCausalLM", New: New, Defaults: model.Defaults{
		RMSNormEps: 1e-5, RopeTheta: 1e6, Experts: model.Experts{Count: 8, PerToken: 2, Normalize: true, Balance: 0.001},
	}}}
}

// New builds a model from its configuration and weights. The weights of a token's
// experts always sum to 1.
func New(c *model.Config, l *model.Loader) (model.Model, error) {
	blocks := make([]model.Block, c.NumHiddenLayers)
	c.Experts.Normalize = true
	for i := range blocks {
		path := fmt.Sprintf("model.layers.%d", i)
		blocks[i] = &model.PreNorm{
			AttnNorm: l.RMSNorm(path+".input_layernorm", c.HiddenSize),
			Attn:     l.LoadAttention(path+".self_attn", i, model.Biases{}),
			MLPNorm:  l.RMSNorm(path+".post_attention_layernorm", c.HiddenSize),
			MLP:      l.LoadMoE(path+".block_sparse_moe", model.MoENames{Gate: "w1", Up: "w3", Down: "w2"}),
		}
	}
	return model.NewDecoder(c, l, blocks)
}
