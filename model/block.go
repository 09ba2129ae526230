package model

import (
	"fmt"

	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
)

// PreNorm is the usual layer: x + attention(norm(x)), then x + MLP(norm(x)).
type PreNorm struct {
	AttnNorm *nn.Norm
	Attn     *nn.Attention
	MLPNorm  *nn.Norm
	MLP      nn.FeedForward
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
	a := l.NewAttention(i)
	a.Q = l.Linear(path+".q_proj", c.HiddenSize, q, b.QKV)
	a.K = l.Linear(path+".k_proj", c.HiddenSize, kv, b.QKV)
	a.V = l.Linear(path+".v_proj", c.HiddenSize, kv, b.QKV)
	a.O = l.Linear(path+".o_proj", q, c.HiddenSize, b.O)
	return a
}

// NewAttention is the attention block of layer i without its projections, for
// families that fuse or name them otherwise.
func (l *Loader) NewAttention(i int) *nn.Attention {
	c := l.config
	a := &nn.Attention{Core: c.attentionOptions()}
	scaling := c.RoPE
	if c.Sliding(i) {
		scaling, a.Core.Window = c.LocalRoPE, c.SlidingWindow
	}
	var err error
	if a.RoPE, err = scaling.Options(c.HeadDim); err != nil {
		l.Fail(fmt.Errorf("%w: layer %d: %w", ErrConfig, i, err))
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
	m.Activation = l.Activation()
	return m
}

// Activation is that of the configuration.
func (l *Loader) Activation() tensor.Activation {
	a, err := activation(l.config.HiddenAct)
	if err != nil {
		l.Fail(err)
	}
	return a
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
