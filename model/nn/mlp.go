package nn

import "github.com/posttrain/posttrain/tensor"

// FeedForward is the part of a layer that looks at each token by itself: GatedMLP
// or MLP.
type FeedForward interface {
	// Forward maps x (N,D) to (N,D).
	Forward(in *Inputs, x *tensor.Node) *tensor.Node
}

// GatedMLP is Down(act(Gate(x)) ⊙ Up(x)).
//
// Shazeer 2020, "GLU Variants Improve Transformer", arXiv:2002.05202, eq. 6.
type GatedMLP struct {
	Gate, Up, Down *Linear
	// GateUp, if set, stands for Gate and Up: a fused projection whose output is
	// that of Gate, then that of Up.
	GateUp     *Linear
	Activation tensor.Activation
}

// Forward maps x (N,D) to (N,D).
func (m *GatedMLP) Forward(in *Inputs, x *tensor.Node) *tensor.Node {
	if m.GateUp == nil {
		return m.Down.Forward(in, tensor.GLU(m.Gate.Forward(in, x), m.Up.Forward(in, x), m.Activation))
	}
	width := m.GateUp.Out() / 2
	both := tensor.Split(m.GateUp.Forward(in, x), 1, width, width)
	return m.Down.Forward(in, tensor.GLU(both[0], both[1], m.Activation))
}

// MLP is Down(act(Up(x))), the feed-forward block of the first transformers.
//
// Vaswani et al. 2017, arXiv:1706.03762, eq. 2.
type MLP struct {
	Up, Down   *Linear
	Activation tensor.Activation
}

// Forward maps x (N,D) to (N,D).
func (m *MLP) Forward(in *Inputs, x *tensor.Node) *tensor.Node {
	return m.Down.Forward(in, tensor.Activate(m.Up.Forward(in, x), m.Activation))
}
