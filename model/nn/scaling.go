package nn

import "github.com/posttrain/posttrain/tensor"

// Scaling multiplies the features that go into a linear layer, or those that come
// out of it, its bias included, by a vector.
//
// Liu et al. 2022, "Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper
// than In-Context Learning" (IA³), arXiv:2205.05638, §3.3.
type Scaling struct {
	In  *tensor.Param // (in), or nil
	Out *tensor.Param // (out), or nil; not for an output head
}

// Forward implements Adapter.
func (a *Scaling) Forward(in *Inputs, l *Linear, x *tensor.Node) *tensor.Node {
	g := x.Graph()
	if a.In != nil {
		x = tensor.ScaleColumns(x, a.In.Node(g), nil)
	}
	y := l.Plain(in, x)
	if a.Out != nil {
		y = tensor.ScaleColumns(y, a.Out.Node(g), nil)
	}
	return y
}

// Head implements HeadAdapter.
func (a *Scaling) Head(in *Inputs, l *Linear, d tensor.Distribution) tensor.Distribution {
	if a.Out != nil {
		tensor.Fail("nn: %s is an output head, whose logits cannot be scaled one by one", l.Path)
	}
	d.H = tensor.ScaleColumns(d.H, a.In.Node(d.H.Graph()), nil)
	return d
}
