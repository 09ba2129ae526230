package gptneox

import (
	"encoding/json"
	"fmt"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
)

// Families lists the kinds of models of this package.
func Families() []model.Family {
	return []model.Family{{
		ModelType: "gpt_neox", Class: "GPTNeoXForCausalLM", New: New,
		Defaults: model.Defaults{
			AttentionBias: true, RMSNormEps: 1e-5, HiddenAct: "gelu", PartialRotaryFactor: 0.25,
			Aliases: map[string]string{"layer_norm_eps": "rms_norm_eps", "rotary_pct": "partial_rotary_factor", "rotary_emb_base": "rope_theta"},
		},
	}}
}

// parallel is a layer whose halves read the same input:
// x + attention(norm₁(x)) + MLP(norm₂(x)).
type parallel model.PreNorm

// Forward adds the layer to the graph.
func (b *parallel) Forward(in *nn.Inputs, x *tensor.Node, layer int) *tensor.Node {
	attn := b.Attn.Forward(in, b.AttnNorm.Forward(in, x), layer)
	return tensor.Add(tensor.Add(x, attn), b.MLP.Forward(in, b.MLPNorm.Forward(in, x)))
}

// New builds a model from its configuration and weights.
func New(c *model.Config, l *model.Loader) (model.Model, error) {
	own := struct {
		Parallel bool `json:"use_parallel_residual"`
	}{true}
	if err := json.Unmarshal(c.Raw, &own); err != nil {
		return nil, fmt.Errorf("%w: %w", model.ErrConfig, err)
	}
	blocks := make([]model.Block, c.NumHiddenLayers)
	for i := range blocks {
		path := fmt.Sprintf("gpt_neox.layers.%d", i)
		b := &model.PreNorm{
			AttnNorm: l.LayerNorm(path+".input_layernorm", c.HiddenSize),
			Attn:     newAttention(c, l, i, path+".attention"),
			MLPNorm:  l.LayerNorm(path+".post_attention_layernorm", c.HiddenSize),
			MLP: &nn.MLP{
				Up:         l.Linear(path+".mlp.dense_h_to_4h", c.HiddenSize, c.IntermediateSize, true),
				Down:       l.Linear(path+".mlp.dense_4h_to_h", c.IntermediateSize, c.HiddenSize, true),
				Activation: l.Activation(),
			},
		}
		blocks[i] = b
		if own.Parallel {
			blocks[i] = (*parallel)(b)
		}
	}
	f := model.Frame{Embedding: "gpt_neox.embed_in", Norm: "gpt_neox.final_layer_norm", LayerNorm: true, Head: "embed_out"}
	return f.NewDecoder(c, l, blocks)
}

// newAttention loads an attention block. Old checkpoints hold its causal mask.
func newAttention(c *model.Config, l *model.Loader, i int, path string) *nn.Attention {
	l.Ignore(path+".bias", path+".masked_bias")
	a := l.NewAttention(i)
	width := c.NumAttentionHeads * c.HeadDim
	a.QKV, a.Groups = l.Linear(path+".query_key_value", c.HiddenSize, 3*width, c.AttentionBias), c.NumAttentionHeads
	a.O = l.Linear(path+".dense", width, c.HiddenSize, c.AttentionBias)
	return a
}
