package nn

import "github.com/posttrain/posttrain/tensor"

// Norm normalises each group of len(Weight) features. An RMSNorm, the usual kind,
// divides by the root mean square and multiplies by Offset + Weight; a LayerNorm
// (Centred) subtracts the mean, divides by the standard deviation, multiplies by
// Weight and adds Bias. ε stands inside the root.
//
// Zhang and Sennrich 2019, "Root Mean Square Layer Normalization",
// arXiv:1910.07467, eq. 4; Ba et al. 2016, "Layer Normalization",
// arXiv:1607.06450, eq. 4. Gemma stores its weights less 1 and uses Offset 1.
type Norm struct {
	Path     string        // module path in the checkpoint, such as model.norm
	Weight   *tensor.Param // (C)
	Bias     *tensor.Param // (C), or nil; of a LayerNorm only
	Eps      float64
	Offset   float64 // of an RMSNorm only
	Centred  bool
	Replaced Replacements
}

// Forward normalises x (N,D), where D is a multiple of the weight's length.
func (n *Norm) Forward(in *Inputs, x *tensor.Node) *tensor.Node {
	g := x.Graph()
	w, b := n.Replaced.choose(in, n.Weight, n.Bias)
	if !n.Centred {
		return tensor.RMSNorm(x, w.Node(g), tensor.NormOptions{Eps: n.Eps, Offset: n.Offset})
	}
	var bias *tensor.Node
	if b != nil {
		bias = b.Node(g)
	}
	return tensor.LayerNorm(x, w.Node(g), bias, n.Eps)
}
