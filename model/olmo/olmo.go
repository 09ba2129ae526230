package olmo

import (
	"fmt"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
)

// Families lists the kinds of models of this package.
func Families() []model.Family {
	return []model.Family{{ModelType: "olmo2", Class: "Olmo2ForCausalLM", New: New, Defaults: model.Defaults{RMSNormEps: 1e-5}}}
}

// block is a layer whose norms stand behind attention and MLP.
type block struct {
	attn     *nn.Attention
	attnNorm *nn.Norm
	mlp      *nn.GatedMLP
	mlpNorm  *nn.Norm
}

// Forward adds the layer to the graph.
func (b *block) Forward(in *nn.Inputs, x *tensor.Node, layer int) *tensor.Node {
	x = tensor.Add(x, b.attnNorm.Forward(in, b.attn.Forward(in, x, layer)))
	return tensor.Add(x, b.mlpNorm.Forward(in, b.mlp.Forward(in, x)))
}

// New builds a model from its configuration and weights.
func New(c *model.Config, l *model.Loader) (model.Model, error) {
	blocks := make([]model.Block, c.NumHiddenLayers)
	bias := model.Biases{QKV: c.AttentionBias, O: c.AttentionBias}
	for i := range blocks {
		path := fmt.Sprintf("model.layers.%d", i)
		b := &block{
			attn:     l.LoadAttention(path+".self_attn", i, bias),
			attnNorm: l.RMSNorm(path+".post_attention_layernorm", c.HiddenSize),
			mlp:      l.LoadGatedMLP(path + ".mlp"),
			mlpNorm:  l.RMSNorm(path+".post_feedforward_layernorm", c.HiddenSize),
		}
		b.attn.QNorm = l.RMSNorm(path+".self_attn.q_norm", c.NumAttentionHeads*c.HeadDim)
		b.attn.KNorm = l.RMSNorm(path+".self_attn.k_norm", c.NumKeyValueHeads*c.HeadDim)
		blocks[i] = b
	}
	return model.NewDecoder(c, l, blocks)
}
