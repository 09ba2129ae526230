package nn

import "github.com/posttrain/posttrain/tensor"

// GatedMLP is Down(act(Gate(x)) ⊙ Up(x)).
//
// Shazeer 2020, "GLU Variants Improve Transformer", arXiv:2002.05202, eq. 6.
type GatedMLP struct {
	Gate, Up, Down *Linear
	Activation     tensor.Activation
}

// Forward maps x (N,D) to (N,D).
func (m *GatedMLP) Forward(in *Inputs, x *tensor.Node) *tensor.Node {
	return m.Down.Forward(in, tensor.GLU(m.Gate.Forward(in, x), m.Up.Forward(in, x), m.Activation))
}
