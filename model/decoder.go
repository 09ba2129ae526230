package model

import (
	"iter"

	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
)

// Block is one layer of a decoder: it maps the residual stream (N,D) to (N,D).
type Block interface {
	Forward(in *nn.Inputs, x *tensor.Node, layer int) *tensor.Node
}

// Decoder is the shape all supported families share: embedding, blocks, final
// norm, head. A family fills it with its own blocks; Decoder then implements
// Model.
type Decoder struct {
	config  *Config
	embed   *nn.Embedding
	blocks  []Block
	norm    *nn.RMSNorm
	head    *nn.Linear
	params  []*tensor.Param
	linears []*nn.Linear
	norms   []*nn.RMSNorm
}

var _ Model = (*Decoder)(nil)

// NewDecoder assembles a decoder from blocks that were made with l, loads the
// embedding, final norm and head under their usual names, and reports everything
// that was missing or wrong. Norm offsets follow c.NormOffset.
func NewDecoder(c *Config, l *Loader, blocks []Block) (*Decoder, error) {
	d := &Decoder{config: c, blocks: blocks}
	table := l.Matrix("model.embed_tokens.weight", c.VocabSize, c.HiddenSize)
	d.embed = &nn.Embedding{Path: "model.embed_tokens", Weight: table, Scale: c.EmbedScale}
	d.norm = l.RMSNorm("model.norm", c.HiddenSize)
	d.head = &nn.Linear{Path: "lm_head", Weight: table}
	if !c.TieWordEmbeddings {
		d.head.Weight = l.Matrix("lm_head.weight", c.VocabSize, c.HiddenSize)
	}
	if err := l.finish(); err != nil {
		return nil, err
	}
	d.params, d.linears, d.norms = l.params, l.linears, l.norms
	return d, nil
}

// Config is the model's configuration.
func (d *Decoder) Config() *Config { return d.config }

// Head is the output matrix (V,D).
func (d *Decoder) Head() *tensor.Param { return d.head.Weight }

// Embedding is the input layer.
func (d *Decoder) Embedding() *nn.Embedding { return d.embed }

// Output is the output head as a layer.
func (d *Decoder) Output() *nn.Linear { return d.head }

// Params lists the parameters by name, in loading order.
func (d *Decoder) Params() iter.Seq2[string, *tensor.Param] {
	return func(yield func(string, *tensor.Param) bool) {
		for _, p := range d.params {
			if !yield(p.Name(), p) {
				return
			}
		}
	}
}

// Linears lists the linear layers by module path, in loading order.
func (d *Decoder) Linears() iter.Seq2[string, *nn.Linear] {
	return func(yield func(string, *nn.Linear) bool) {
		for _, l := range d.linears {
			if !yield(l.Path, l) {
				return
			}
		}
	}
}

// Norms lists the norms by module path, in loading order.
func (d *Decoder) Norms() iter.Seq2[string, *nn.RMSNorm] {
	return func(yield func(string, *nn.RMSNorm) bool) {
		for _, n := range d.norms {
			if !yield(n.Path, n) {
				return
			}
		}
	}
}

// Hidden builds the forward pass up to the final norm.
func (d *Decoder) Hidden(g *tensor.Graph, in *Inputs) *tensor.Node {
	x := d.embed.Forward(in, in.Tokens)
	if in.OnEmbedding != nil {
		x = in.OnEmbedding(x)
	}
	for i, b := range d.blocks {
		x = b.Forward(in, x, i)
		if in.OnLayer != nil {
			in.OnLayer(x)
		}
	}
	return d.norm.Forward(in, x)
}
