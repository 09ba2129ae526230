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
	one := model.Defaults{TieWordEmbeddings: true, HeadDim: 256, HiddenAct: "gelu_pytorch_tanh"}
	two := one
	two.QueryScale, two.SlidingWindow, two.SlidingPattern = 256, 4096, 2
	three := two
	two.AttnSoftCap, two.FinalSoftCap = 50, 30
	three.RopeTheta, three.LocalRopeTheta, three.SlidingPattern = 1e6, 1e4, slidingPattern
	return []model.Family{
		{ModelType: "gemma", Class: "GemmaForCausalLM", New: New, Defaults: one},
		{ModelType: "gemma2", Class: "Gemma2ForCausalLM", New: New, Defaults: two},
		{
			ModelType: "gemma3_text", Class: "Gemma3ForCausalLM", New: New, Defaults: three,
			GGUF: &model.GGUF{
				Architecture: "gemma3", NormOffset: 1, Config: unwritten,
				Names: map[string]string{
					"post_attention_layernorm":   "post_attention_norm",
					"pre_feedforward_layernorm":  "ffn_norm",
					"post_feedforward_layernorm": "post_ffw_norm",
				},
			},
		},
	}
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
	preAttn, postAttn *nn.Norm
	attn              *nn.Attention
	preMLP, postMLP   *nn.Norm
	mlp               *nn.GatedMLP
}

// Forward adds the layer to the graph.
func (b *block) Forward(in *nn.Inputs, x *tensor.Node, layer int) *tensor.Node {
	x = tensor.Add(x, b.postAttn.Forward(in, b.attn.Forward(in, b.preAttn.Forward(in, x), layer)))
	return tensor.Add(x, b.postMLP.Forward(in, b.mlp.Forward(in, b.preMLP.Forward(in, x))))
}

// New builds a model from its configuration and weights.
func New(c *model.Config, l *model.Loader) (model.Model, error) {
	c.NormOffset = 1
	c.EmbedScale = math.Sqrt(float64(c.HiddenSize))
	if c.ModelType == "gemma" && c.HiddenAct == "gelu" {
		c.HiddenAct = "gelu_pytorch_tanh" // what the first files meant; transformers reads them so
	}
	blocks := make([]model.Block, c.NumHiddenLayers)
	for i := range blocks {
		blocks[i] = newBlock(c, l, i)
	}
	return model.NewDecoder(c, l, blocks)
}

// newBlock loads layer i. Gemma 1 has no norms behind attention and MLP, and only
// Gemma 3 has norms of queries and keys.
func newBlock(c *model.Config, l *model.Loader, i int) model.Block {
	path := fmt.Sprintf("model.layers.%d", i)
	first := l.RMSNorm(path+".input_layernorm", c.HiddenSize)
	attn := l.LoadAttention(path+".self_attn", i, model.Biases{QKV: c.AttentionBias, O: c.AttentionBias})
	second := l.RMSNorm(path+".post_attention_layernorm", c.HiddenSize)
	mlp := l.LoadGatedMLP(path + ".mlp")
	if c.ModelType == "gemma" {
		return &model.PreNorm{AttnNorm: first, Attn: attn, MLPNorm: second, MLP: mlp}
	}
	if c.ModelType == "gemma3_text" {
		attn.QNorm = l.RMSNorm(path+".self_attn.q_norm", c.HeadDim)
		attn.KNorm = l.RMSNorm(path+".self_attn.k_norm", c.HeadDim)
	}
	return &block{
		preAttn: first, attn: attn, postAttn: second,
		preMLP: l.RMSNorm(path+".pre_feedforward_layernorm", c.HiddenSize), mlp: mlp,
		postMLP: l.RMSNorm(path+".post_feedforward_layernorm", c.HiddenSize),
	}
}
