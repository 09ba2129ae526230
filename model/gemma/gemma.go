package gemma

import (
	"fmt"
	"math"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
)

// block is a layer with a norm on both sides of each half.
type block struct {
	preAttn, postAttn *nn.RMSNorm
	attn              *nn.Attention
	preMLP, postMLP   *nn.RMSNorm
	mlp               *nn.GatedMLP
}

// Forward adds the layer to the graph.
func (b *block) Forward(in *nn.Inputs, x *tensor.Node, layer int) *tensor.Node {
	x = tensor.Add(x, b.postAttn.Forward(b.attn.Forward(in, b.preAttn.Forward(x), layer)))
	return tensor.Add(x, b.postMLP.Forward(b.mlp.Forward(in, b.preMLP.Forward(x))))
}

// New builds a Gemma 3 text model from its configuration and weights.
func New(c *model.Config, l *model.Loader) (model.Model, error) {
	c.NormOffset = 1
	c.EmbedScale = math.Sqrt(float64(c.HiddenSize))
	blocks := make([]model.Block, c.NumHiddenLayers)
	bias := model.Biases{QKV: c.AttentionBias, O: c.AttentionBias}
	for i := range blocks {
		path := fmt.Sprintf("model.layers.%d", i)
		b := &block{
			preAttn:  l.RMSNorm(path+".input_layernorm", c.HiddenSize),
			attn:     l.LoadAttention(path+".self_attn", i, bias),
			postAttn: l.RMSNorm(path+".post_attention_layernorm", c.HiddenSize),
			preMLP:   l.RMSNorm(path+".pre_feedforward_layernorm", c.HiddenSize),
			mlp:      l.LoadGatedMLP(path + ".mlp"),
			postMLP:  l.RMSNorm(path+".post_feedforward_layernorm", c.HiddenSize),
		}
		b.attn.QNorm = l.RMSNorm(path+".self_attn.q_norm", c.HeadDim)
		b.attn.KNorm = l.RMSNorm(path+".self_attn.k_norm", c.HeadDim)
		blocks[i] = b
	}
	return model.NewDecoder(c, l, blocks)
}
