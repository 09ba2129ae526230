package gemma

import (
	"fmt"
	"math"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/gguf"
)

// slidingPattern: every sixth layer of a Gemma 3 model attends to everything.
const slidingPattern = 6

// Families lists the kinds of models of this package.
func Families() []model.Family {
	return []model.Family{{
		ModelType: "gemma3_text", Class: "Gemma3ForCausalLM", New: New,
		Defaults: model.Defaults{
			TieWordEmbeddings: true, HeadDim: 256, HiddenAct: "gelu_pytorch_tanh", QueryScale: 256,
			RopeTheta: 1e6, LocalRopeTheta: 1e4, SlidingWindow: 4096, SlidingPattern: slidingPattern,
		},
		GGUF: &model.GGUF{
			Architecture: "gemma3", NormOffset: 1, Config: unwritten,
			Names: map[string]string{
				"post_attention_layernorm":   "post_attention_norm",
				"pre_feedforward_layernorm":  "ffn_norm",
				"post_feedforward_layernorm": "post_ffw_norm",
			},
		},
	}}
}

// layers27B is the depth of the one Gemma 3 model whose query scale is not its
// head width.
const layers27B = 62

// unwritten adds what GGUF files of Gemma 3 leave out, as llama.cpp assumes it.
func unwritten(f *gguf.File, fields map[string]any) error {
	delete(fields, "hidden_act")
	fields["hidden_activation"] = "gelu_pytorch_tanh"
	fields["sliding_window_pattern"] = slidingPattern
	if _, ok := fields["rope_local_base_freq"]; !ok {
		fields["rope_local_base_freq"] = 10000.0
	}
	fields["query_pre_attn_scalar"] = fields["head_dim"]
	if fields["num_hidden_layers"] == int64(layers27B) {
		fields["query_pre_attn_scalar"] = fields["hidden_size"].(int64) / fields["num_attention_heads"].(int64)
	}
	return nil
}

// block is a layer with a norm on both sides of each half.
type block struct {
	preAttn, postAttn *nn.RMSNorm
	attn              *nn.Attention
	preMLP, postMLP   *nn.RMSNorm
	mlp               *nn.GatedMLP
}

// Forward adds the layer to the graph.
func (b *block) Forward(in *nn.Inputs, x *tensor.Node, layer int) *tensor.Node {
	x = tensor.Add(x, b.postAttn.Forward(in, b.attn.Forward(in, b.preAttn.Forward(in, x), layer)))
	return tensor.Add(x, b.postMLP.Forward(in, b.mlp.Forward(in, b.preMLP.Forward(in, x))))
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
