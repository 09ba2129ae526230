package nn

import "github.com/posttrain/posttrain/tensor"

// RMSNorm divides each group of len(Weight) features by its root mean square and
// multiplies by Offset + Weight.
//
// Zhang and Sennrich 2019, "Root Mean Square Layer Normalization",
// arXiv:1910.07467, eq. 4; ε inside the root. Gemma stores its weights less 1
// and uses Offset 1.
type RMSNorm struct {
	Path     string // module path in the checkpoint, such as model.norm
	Weight   *tensor.Param
	Eps      float64
	Offset   float64
	Replaced Replacements
}

// Forward normalises x (N,D), where D is a multiple of the weight's length.
func (n *RMSNorm) Forward(in *Inputs, x *tensor.Node) *tensor.Node {
	w, _ := n.Replaced.choose(in, n.Weight, nil)
	return tensor.RMSNorm(x, w.Node(x.Graph()), tensor.NormOptions{Eps: n.Eps, Offset: n.Offset})
}
