package smollm

import (
	"encoding/json"
	"fmt"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
)

// interval: every fourth layer has no positions, unless config.json says otherwise.
const interval = 4

// Families lists the kinds of models of this package.
func Families() []model.Family {
	return []model.Family{{
		ModelType: "smollm3", Class: "SmolLM3ForCausalLM", New: New,
		Defaults: model.Defaults{TieWordEmbeddings: true, RopeTheta: 2e6, WindowOff: true},
	}}
}

// settings are those of the family.
type settings struct {
	Rotates    []int    `json:"no_rope_layers"` // 1 for a layer that rotates
	Interval   *int     `json:"no_rope_layer_interval"`
	LayerTypes []string `json:"layer_types"`
}

// readSettings fills Rotates.
func readSettings(c *model.Config) (*settings, error) {
	s := &settings{}
	if err := json.Unmarshal(c.Raw, s); err != nil {
		return nil, fmt.Errorf("%w: %w", model.ErrConfig, err)
	}
	every := interval
	if s.Interval != nil {
		every = *s.Interval
	}
	if s.Rotates == nil {
		if every < 1 {
			return nil, fmt.Errorf("%w: no_rope_layer_interval is %d, want at least 1", model.ErrConfig, every)
		}
		for i := range c.NumHiddenLayers {
			s.Rotates = append(s.Rotates, min((i+1)%every, 1))
		}
	}
	if len(s.Rotates) != c.NumHiddenLayers {
		return nil, fmt.Errorf("%w: no_rope_layers has %d entries for %d layers", model.ErrConfig, len(s.Rotates), c.NumHiddenLayers)
	}
	return s, nil
}

// New builds a model from its configuration and weights.
func New(c *model.Config, l *model.Loader) (model.Model, error) {
	s, err := readSettings(c)
	if err != nil {
		return nil, err
	}
	blocks := make([]model.Block, c.NumHiddenLayers)
	bias := model.Biases{QKV: c.AttentionBias, O: c.AttentionBias}
	for i := range blocks {
		path := fmt.Sprintf("model.layers.%d", i)
		b := &model.PreNorm{
			AttnNorm: l.RMSNorm(path+".input_layernorm", c.HiddenSize),
			Attn:     l.LoadAttention(path+".self_attn", i, bias),
			MLPNorm:  l.RMSNorm(path+".post_attention_layernorm", c.HiddenSize),
			MLP:      l.LoadGatedMLP(path + ".mlp"),
		}
		switch {
		case s.Rotates[i] == 0:
			b.Attn.RoPE = tensor.RoPEOptions{}
		case s.LayerTypes == nil: // then the layers that rotate see everything
			b.Attn.Core.Window = 0
		}
		blocks[i] = b
	}
	return model.NewDecoder(c, l, blocks)
}
