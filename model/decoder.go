package model

import (
	"cmp"
	"fmt"
	"iter"

	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
)

// Block is one layer of a decoder: it maps the residual stream (N,D) to (N,D).
type Block interface {
	Forward(in *nn.Inputs, x *tensor.Node, layer int) *tensor.Node
}

// maxPositions bounds a table of learned positions.
const maxPositions = 1 << 24

// Decoder is the shape all supported families share: embedding, blocks, final
// norm, head. A family fills it with its own blocks; Decoder then implements
// Model.
type Decoder struct {
	config  *Config
	embed   *nn.Embedding
	places  *nn.Embedding // learned positions; nil for none
	blocks  []Block
	norm    *nn.Norm
	head    *nn.Linear
	params  []*tensor.Param
	linears []*nn.Linear
	norms   []*nn.Norm
}

var _ Model = (*Decoder)(nil)

// Frame says what stands around the blocks of a decoder, as module paths in the
// checkpoint. The zero value stands for what most families have.
type Frame struct {
	Embedding string // model.embed_tokens
	Positions string // table of learned positions, added to the embedding; none
	Norm      string // model.norm
	LayerNorm bool   // the final norm is a LayerNorm rather than an RMSNorm
	Head      string // lm_head
}

// NewDecoder assembles a decoder from blocks that were made with l, loads the
// embedding, final norm and head under their usual names, and reports everything
// that was missing or wrong. Norm offsets follow c.NormOffset.
func NewDecoder(c *Config, l *Loader, blocks []Block) (*Decoder, error) {
	return Frame{}.NewDecoder(c, l, blocks)
}

// NewDecoder is the function of that name with f around the blocks.
func (f Frame) NewDecoder(c *Config, l *Loader, blocks []Block) (*Decoder, error) {
	f.Embedding, f.Norm, f.Head = cmp.Or(f.Embedding, "model.embed_tokens"), cmp.Or(f.Norm, "model.norm"), cmp.Or(f.Head, "lm_head")
	d := &Decoder{config: c, blocks: blocks}
	table := l.Matrix(f.Embedding+".weight", c.VocabSize, c.HiddenSize)
	d.embed = &nn.Embedding{Path: f.Embedding, Weight: table, Scale: c.EmbedScale}
	if c.LearnedPositions = f.Positions != ""; c.LearnedPositions {
		if c.MaxPositionEmbeddings < 1 || c.MaxPositionEmbeddings > maxPositions {
			l.Fail(fmt.Errorf("%w: max_position_embeddings is %d, want 1 to %d", ErrConfig, c.MaxPositionEmbeddings, maxPositions))
			return nil, l.Err()
		}
		d.places = &nn.Embedding{Path: f.Positions, Weight: l.Matrix(f.Positions+".weight", c.MaxPositionEmbeddings, c.HiddenSize), Scale: 1}
	}
	norm := l.RMSNorm
	if f.LayerNorm {
		norm = l.LayerNorm
	}
	d.norm = norm(f.Norm, c.HiddenSize)
	d.head = &nn.Linear{Path: f.Head, Weight: table}
	if !c.TieWordEmbeddings && !c.NoLanguageHead {
		d.head.Weight = l.Matrix(f.Head+".weight", c.VocabSize, c.HiddenSize)
	}
	if err := l.finish(f.Head + ".weight"); err != nil {
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
func (d *Decoder) Norms() iter.Seq2[string, *nn.Norm] {
	return func(yield func(string, *nn.Norm) bool) {
		for _, n := range d.norms {
			if !yield(n.Path, n) {
				return
			}
		}
	}
}

// Hidden builds the forward pass up to the final norm.
func (d *Decoder) Hidden(g *tensor.Graph, in *Inputs) *tensor.Node {
	in = d.withVirtual(g, in)
	x := d.embed.Forward(in, in.Tokens)
	if d.places != nil {
		x = tensor.Add(x, d.places.Forward(in, in.Positions))
	}
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
