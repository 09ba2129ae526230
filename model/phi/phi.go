package phi

import (
	"fmt"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor/gguf"
)

// Families lists the kinds of models of this package.
func Families() []model.Family {
	return []model.Family{{
		ModelType: "phi3", Class: "Phi3ForCausalLM", New: New, Defaults: model.Defaults{RMSNormEps: 1e-5},
		GGUF: &model.GGUF{
			Architecture: "phi3", Config: partial,
			Names: map[string]string{"self_attn.qkv_proj": "attn_qkv", "mlp.gate_up_proj": "ffn_up"},
		},
	}}
}

// partial reads which part of a head is rotated.
func partial(f *gguf.File, fields map[string]any) error {
	const key = "phi3.rope.dimension_count"
	width, _ := fields["head_dim"].(int64)
	if !f.Has(key) || width < 1 {
		return nil
	}
	n, err := f.Int(key)
	fields["partial_rotary_factor"] = float64(n) / float64(width)
	return err
}

// New builds a model from its configuration and weights.
func New(c *model.Config, l *model.Loader) (model.Model, error) {
	blocks := make([]model.Block, c.NumHiddenLayers)
	for i := range blocks {
		path := fmt.Sprintf("model.layers.%d", i)
		blocks[i] = &model.PreNorm{
			AttnNorm: l.RMSNorm(path+".input_layernorm", c.HiddenSize),
			Attn:     newAttention(c, l, i, path+".self_attn"),
			MLPNorm:  l.RMSNorm(path+".post_attention_layernorm", c.HiddenSize),
			MLP: &nn.GatedMLP{
				GateUp:     l.Linear(path+".mlp.gate_up_proj", c.HiddenSize, 2*c.IntermediateSize, false),
				Down:       l.Linear(path+".mlp.down_proj", c.IntermediateSize, c.HiddenSize, false),
				Activation: l.Activation(),
			},
		}
	}
	return model.NewDecoder(c, l, blocks)
}

// newAttention loads an attention block with [q|k|v] in one projection.
func newAttention(c *model.Config, l *model.Loader, i int, path string) *nn.Attention {
	a := l.NewAttention(i)
	width := c.NumAttentionHeads * c.HeadDim
	a.QKV, a.Groups = l.Linear(path+".qkv_proj", c.HiddenSize, width+2*c.NumKeyValueHeads*c.HeadDim, false), 1
	a.O = l.Linear(path+".o_proj", width, c.HiddenSize, false)
	return a
}
