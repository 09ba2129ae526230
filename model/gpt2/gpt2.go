package gpt2

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/gguf"
)

// Families lists the kinds of models of this package.
func Families() []model.Family {
	return []model.Family{{
		ModelType: "gpt2", Class: "GPT2LMHeadModel", New: New, Prefix: "transformer.",
		Defaults: model.Defaults{
			TieWordEmbeddings: true, RMSNormEps: 1e-5, HiddenAct: activation, IntermediateRatio: 4,
			Aliases: map[string]string{
				"n_embd": "hidden_size", "n_layer": "num_hidden_layers", "n_head": "num_attention_heads", "n_positions": "max_position_embeddings",
				"n_inner": "intermediate_size", "activation_function": "hidden_act", "layer_norm_epsilon": "rms_norm_eps",
			},
		},
		GGUF: &model.GGUF{
			Architecture: "gpt2", Config: unwritten, Blocks: "transformer.h",
			Outer: map[string]string{"transformer.wte": "token_embd", "transformer.wpe": "position_embd", "transformer.ln_f": "output_norm"},
			Names: map[string]string{
				"ln_1": "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output",
				"ln_2": "ffn_norm", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down",
			},
			Transposed: []string{"attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"},
		},
	}}
}

// activation is that of all published models.
const activation = "gelu_new"

// unwritten adds what no metadata key holds.
func unwritten(_ *gguf.File, fields map[string]any) error {
	fields["hidden_act"] = activation
	return nil
}

// settings are those of the family that say how scores are scaled.
type settings struct {
	Scaled  bool `json:"scale_attn_weights"` // by 1/√head_dim
	ByLayer bool `json:"scale_attn_by_inverse_layer_idx"`
	Cross   bool `json:"add_cross_attention"`
}

// New builds a model from its configuration and weights.
func New(c *model.Config, l *model.Loader) (model.Model, error) {
	own := settings{Scaled: true}
	if err := json.Unmarshal(c.Raw, &own); err != nil {
		return nil, fmt.Errorf("%w: %w", model.ErrConfig, err)
	}
	if own.Cross {
		return nil, fmt.Errorf("%w: add_cross_attention is true, want a model without an encoder", model.ErrConfig)
	}
	blocks := make([]model.Block, c.NumHiddenLayers)
	for i := range blocks {
		path := fmt.Sprintf("transformer.h.%d", i)
		blocks[i] = &model.PreNorm{
			AttnNorm: l.LayerNorm(path+".ln_1", c.HiddenSize),
			Attn:     newAttention(c, l, i, own),
			MLPNorm:  l.LayerNorm(path+".ln_2", c.HiddenSize),
			MLP: &nn.MLP{
				Up:         l.Conv1D(path+".mlp.c_fc", c.HiddenSize, c.IntermediateSize),
				Down:       l.Conv1D(path+".mlp.c_proj", c.IntermediateSize, c.HiddenSize),
				Activation: l.Activation(),
			},
		}
	}
	f := model.Frame{Embedding: "transformer.wte", Positions: "transformer.wpe", Norm: "transformer.ln_f", LayerNorm: true}
	return f.NewDecoder(c, l, blocks)
}

// newAttention loads the attention block of layer i. Old checkpoints hold its
// causal mask.
func newAttention(c *model.Config, l *model.Loader, i int, own settings) *nn.Attention {
	path := fmt.Sprintf("transformer.h.%d.attn", i)
	l.Ignore(path+".bias", path+".masked_bias")
	a := l.NewAttention(i)
	a.RoPE = tensor.RoPEOptions{}
	a.QKV, a.Groups = l.Conv1D(path+".c_attn", c.HiddenSize, 3*c.NumAttentionHeads*c.HeadDim), 1
	a.O = l.Conv1D(path+".c_proj", c.NumAttentionHeads*c.HeadDim, c.HiddenSize)
	a.Core.Scale = 1
	if own.Scaled {
		a.Core.Scale = 1 / math.Sqrt(float64(c.HeadDim))
	}
	if own.ByLayer {
		a.Core.Scale /= float64(i + 1)
	}
	return a
}
