package model

import (
	"fmt"

	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
)

// PreNorm is the usual layer: x + attention(norm(x)), then x + MLP(norm(x)).
type PreNorm struct {
	AttnNorm *nn.RMSNorm
	Attn     *nn.Attention
	MLPNorm  *nn.RMSNorm
	MLP      *nn.GatedMLP
}

// Forward adds the layer to the graph.
func (b *PreNorm) Forward(in *nn.Inputs, x *tensor.Node, layer int) *tensor.Node {
	x = tensor.Add(x, b.Attn.Forward(in, b.AttnNorm.Forward(in, x), layer))
	return tensor.Add(x, b.MLP.Forward(in, b.MLPNorm.Forward(in, x)))
}

// Biases says which projections of an attention block have a bias.
type Biases struct{ QKV, O bool }

// LoadAttention loads the attention block of layer i under the usual names:
// path.q_proj and so on. The window, soft cap, scale and rotary positions follow
// the configuration.
func (l *Loader) LoadAttention(path string, i int, b Biases) *nn.Attention {
	c := l.config
	q, kv := c.NumAttentionHeads*c.HeadDim, c.NumKeyValueHeads*c.HeadDim
	a := &nn.Attention{
		Q: l.Linear(path+".q_proj", c.HiddenSize, q, b.QKV),
		K: l.Linear(path+".k_proj", c.HiddenSize, kv, b.QKV),
		V: l.Linear(path+".v_proj", c.HiddenSize, kv, b.QKV),
		O: l.Linear(path+".o_proj", q, c.HiddenSize, b.O),
	}
	scaling := c.RoPE
	a.Core = c.attentionOptions()
	if c.Sliding(i) {
		scaling, a.Core.Window = c.LocalRoPE, c.SlidingWindow
	}
	var err error
	if a.RoPE, err = scaling.Options(c.HeadDim); err != nil {
		l.errs = append(l.errs, fmt.Errorf("%w: layer %d: %w", ErrConfig, i, err))
	}
	return a
}

// LoadGatedMLP loads the feed-forward block under the usual names.
func (l *Loader) LoadGatedMLP(path string) *nn.GatedMLP {
	c := l.config
	m := &nn.GatedMLP{
		Gate: l.Linear(path+".gate_proj", c.HiddenSize, c.IntermediateSize, c.MLPBias),
		Up:   l.Linear(path+".up_proj", c.HiddenSize, c.IntermediateSize, c.MLPBias),
		Down: l.Linear(path+".down_proj", c.IntermediateSize, c.HiddenSize, c.MLPBias),
	}
	var err error
	if m.Activation, err = activation(c.HiddenAct); err != nil {
		l.errs = append(l.errs, err)
	}
	return m
}

// activation maps the name in a configuration to the function.
func activation(name string) (tensor.Activation, error) {
	switch name {
	case "silu", "swish":
		return tensor.SiLU, nil
	case "gelu_pytorch_tanh", "gelu_new", "gelu_fast":
		return tensor.GELUTanh, nil
	case "gelu":
		return tensor.GELUErf, nil
	}
	return 0, fmt.Errorf("%w: hidden_act is %q, want silu, gelu or gelu_pytorch_tanh", ErrConfig, name)
}
