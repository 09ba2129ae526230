package nn

import "github.com/posttrain/posttrain/tensor"

// Hadamard adds the update Scale·(B1·A1) ⊙ (B2·A2) to a weight matrix, whose rank can
// be the square of r. The update is made as a whole, (out, in), in every graph.
//
// Hyeon-Woo et al. 2021, "FedPara: Low-Rank Hadamard Product for Communication-Efficient
// Federated Learning", arXiv:2108.06098, eq. 3; known as LoHa.
type Hadamard struct {
	A1, B1, A2, B2 *tensor.Param // (r, in), (out, r), twice
	Scale          float64       // α/r
}

// Forward implements Adapter.
func (a *Hadamard) Forward(in *Inputs, l *Linear, x *tensor.Node) *tensor.Node {
	g := x.Graph()
	first := tensor.LinearTransposed(a.B1.Node(g), a.A1.Node(g), nil)
	second := tensor.LinearTransposed(a.B2.Node(g), a.A2.Node(g), nil)
	update := tensor.Scale(tensor.Mul(first, second), a.Scale)
	return tensor.Add(l.Plain(in, x), tensor.Linear(x, update, nil))
}
