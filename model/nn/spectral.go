package nn

import "github.com/posttrain/posttrain/tensor"

// Spectral adds the update Scale·B·diag(E)·A to a weight matrix: a low-rank update
// in the form of a singular value decomposition.
//
// Zhang et al. 2023, "AdaLoRA: Adaptive Budget Allocation for Parameter-Efficient
// Fine-Tuning", arXiv:2303.10512, eq. 3 with P = B, Λ = E, Q = A.
type Spectral struct {
	A, E, B *tensor.Param // (r, in), (r), (out, r)
	Scale   float64       // α/(r + 1e-5) in PEFT, with r that of the start
	Dropout float64       // probability of zeroing an input feature in training
	Salt    uint64        // keys the dropout mask; distinct for each module
}

// Forward implements Adapter.
func (a *Spectral) Forward(in *Inputs, l *Linear, x *tensor.Node) *tensor.Node {
	return tensor.Add(l.Plain(in, x), tensor.Linear(a.low(in, x), a.B.Node(x.Graph()), nil))
}

// Head implements HeadAdapter.
func (a *Spectral) Head(in *Inputs, l *Linear, d tensor.Distribution) tensor.Distribution {
	d.Low, d.LowHead = a.low(in, d.H), a.B.Node(d.H.Graph())
	return d
}

// low is Scale·E ⊙ A·x.
func (a *Spectral) low(in *Inputs, x *tensor.Node) *tensor.Node {
	g := x.Graph()
	if in.Training && a.Dropout > 0 {
		x = tensor.Dropout(x, a.Dropout, a.Salt)
	}
	return tensor.ScaleColumns(tensor.Linear(x, a.A.Node(g), nil), tensor.Scale(a.E.Node(g), a.Scale), nil)
}
