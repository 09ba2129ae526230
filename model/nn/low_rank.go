package nn

import "github.com/posttrain/posttrain/tensor"

// LowRank adds the update Scale·B·A to a weight matrix.
//
// Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models",
// arXiv:2106.09685, eq. 3.
//
// With a Magnitude m each row of the sum is brought to the length that m says
// (DoRA: Liu et al. 2024, arXiv:2402.09353, eq. 5): W' = m ⊙ V/‖V‖ with V = W +
// Scale·B·A. The length ‖V‖ is computed in every run and treated as a constant by the
// gradient (§4.3). In training with dropout W·x is taken of the dropped x too, but
// for the part that does not depend on m, as in PEFT: y = W·x + (m/‖V‖)·V·x̃ − W·x̃.
type LowRank struct {
	A, B      *tensor.Param // (r, in), (out, r); A of an Embedding is (in, r)
	Bias      *tensor.Param // (out), times Scale added to the update of a Linear; nil for none
	Magnitude *tensor.Param // (out) m of DoRA; nil for LoRA. Not for an Embedding or a head
	Scale     float64       // α/r, or α/√r with rank-stabilised scaling
	Dropout   float64       // probability of zeroing an input feature in training
	Salt      uint64        // keys the dropout mask; distinct for each module
}

// Forward implements Adapter.
func (a *LowRank) Forward(in *Inputs, l *Linear, x *tensor.Node) *tensor.Node {
	g := x.Graph()
	w, bias := l.nodes(in, g)
	o := tensor.LoRAOptions{Scale: a.Scale, Salt: a.Salt, Transposed: l.Transposed}
	if in.Training {
		o.Dropout = a.Dropout
	}
	low, high := a.A.Node(g), a.B.Node(g)
	if a.Magnitude == nil {
		return tensor.LinearLoRA(x, w, a.addBias(g, bias), low, high, o)
	}
	ratio := tensor.Div(a.Magnitude.Node(g), tensor.RowNormLoRA(w, low, high, o))
	if o.Dropout == 0 {
		return tensor.ScaleColumns(tensor.LinearLoRA(x, w, nil, low, high, o), ratio, bias)
	}
	dropped := tensor.Dropout(x, o.Dropout, o.Salt)
	o.Dropout = 0
	rest := tensor.Sub(l.product(x, w, bias), l.product(dropped, w, nil))
	return tensor.Add(rest, tensor.ScaleColumns(tensor.LinearLoRA(dropped, w, nil, low, high, o), ratio, nil))
}

// addBias is the layer's bias, which may be nil, and the update's.
func (a *LowRank) addBias(g *tensor.Graph, bias *tensor.Node) *tensor.Node {
	if a.Bias == nil {
		return bias
	}
	own := tensor.Scale(a.Bias.Node(g), a.Scale)
	if bias == nil {
		return own
	}
	return tensor.Add(bias, own)
}

// Head implements HeadAdapter.
func (a *LowRank) Head(in *Inputs, l *Linear, d tensor.Distribution) tensor.Distribution {
	if a.Bias != nil {
		tensor.Fail("nn: %s is an output head with a bias, want none", l.Path)
	}
	if a.Magnitude != nil {
		tensor.Fail("nn: %s is an output head with a magnitude, want none", l.Path)
	}
	h, g := d.H, d.H.Graph()
	if in.Training && a.Dropout > 0 {
		h = tensor.Dropout(h, a.Dropout, a.Salt)
	}
	d.Low, d.LowHead = tensor.Scale(tensor.Linear(h, a.A.Node(g), nil), a.Scale), a.B.Node(g)
	return d
}

// Lookup implements LookupAdapter. The A of an embedding's adapter is kept
// transposed, (V, r), so that it is looked up like the table; the update of a row is
// Scale of the adapter times B·A[id], and is multiplied by the embedding's Scale as
// the row is, so that a merged adapter computes what an active one does. Dropout does
// not apply here, as in PEFT.
func (a *LowRank) Lookup(in *Inputs, e *Embedding, ids *tensor.Node) *tensor.Node {
	g := ids.Graph()
	if a.Bias != nil || a.Magnitude != nil {
		tensor.Fail("nn: %s is an embedding, whose adapter must have neither a bias nor a magnitude", e.Path)
	}
	low := tensor.Embedding(a.A.Node(g), ids, a.Scale*e.Scale)
	return tensor.Add(e.Plain(in, ids), tensor.Linear(low, a.B.Node(g), nil))
}
