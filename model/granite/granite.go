package granite

import (
	"encoding/json"
	"fmt"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
)

// Families lists the kinds of models of this package.
func Families() []model.Family {
	return []model.Family{{ModelType: "granite", Class: "GraniteForCausalLM", New: New}}
}

// multipliers are the settings of the family, all 1 unless config.json has them.
type multipliers struct {
	Embedding float64 `json:"embedding_multiplier"`
	Attention float64 `json:"attention_multiplier"` // instead of 1/√head_dim
	Residual  float64 `json:"residual_multiplier"`
	Logits    float64 `json:"logits_scaling"` // logits are divided by it
}

func readMultipliers(c *model.Config) (m multipliers, err error) {
	m = multipliers{1, 1, 1, 1}
	if err := json.Unmarshal(c.Raw, &m); err != nil {
		return m, fmt.Errorf("%w: %w", model.ErrConfig, err)
	}
	if !(m.Embedding > 0 && m.Attention > 0 && m.Residual > 0 && m.Logits > 0) {
		return m, fmt.Errorf("%w: embedding_multiplier %g, attention_multiplier %g, residual_multiplier %g, logits_scaling %g, want numbers above 0",
			model.ErrConfig, m.Embedding, m.Attention, m.Residual, m.Logits)
	}
	return m, nil
}

// block is the usual layer with a factor on what each half adds.
type block struct {
	model.PreNorm
	residual float64
}

// Forward adds the layer to the graph.
func (b *block) Forward(in *nn.Inputs, x *tensor.Node, layer int) *tensor.Node {
	x = tensor.Add(x, tensor.Scale(b.Attn.Forward(in, b.AttnNorm.Forward(in, x), layer), b.residual))
	return tensor.Add(x, tensor.Scale(b.MLP.Forward(in, b.MLPNorm.Forward(in, x)), b.residual))
}

// New builds a model from its configuration and weights.
func New(c *model.Config, l *model.Loader) (model.Model, error) {
	m, err := readMultipliers(c)
	if err != nil {
		return nil, err
	}
	c.EmbedScale, c.LogitScale, c.QueryScale = m.Embedding, 1/m.Logits, 1/(m.Attention*m.Attention)
	blocks := make([]model.Block, c.NumHiddenLayers)
	bias := model.Biases{QKV: c.AttentionBias, O: c.AttentionBias}
	for i := range blocks {
		path := fmt.Sprintf("model.layers.%d", i)
		blocks[i] = &block{residual: m.Residual, PreNorm: model.PreNorm{
			AttnNorm: l.RMSNorm(path+".input_layernorm", c.HiddenSize),
			Attn:     l.LoadAttention(path+".self_attn", i, bias),
			MLPNorm:  l.RMSNorm(path+".post_attention_layernorm", c.HiddenSize),
			MLP:      l.LoadGatedMLP(path + ".mlp"),
		}}
	}
	return model.NewDecoder(c, l, blocks)
}
