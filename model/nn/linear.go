package nn

import "github.com/posttrain/posttrain/tensor"

// Linear is y = x·Wᵀ + b, with any number of low-rank adapters of which at most
// one is active in a graph.
type Linear struct {
	Path     string        // module path in the checkpoint, such as model.layers.0.self_attn.q_proj
	Weight   *tensor.Param // (out, in)
	Bias     *tensor.Param // (out), or nil
	Adapters map[string]*LowRank
}

// LowRank is the update Scale·B·A of a weight matrix.
//
// Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models",
// arXiv:2106.09685, eq. 3.
type LowRank struct {
	A, B    *tensor.Param // (r, in), (out, r); A of an Embedding is (in, r)
	Scale   float64       // α/r, or α/√r with rank-stabilised scaling
	Dropout float64       // probability of zeroing an input feature in training
	Salt    uint64        // keys the dropout mask; distinct for each module
}

// In is the number of input features.
func (l *Linear) In() int { return l.Weight.Shape()[1] }

// Out is the number of output features.
func (l *Linear) Out() int { return l.Weight.Shape()[0] }

// Forward maps x (N,in) to (N,out).
func (l *Linear) Forward(in *Inputs, x *tensor.Node) *tensor.Node {
	g := x.Graph()
	w := l.Weight.Node(g)
	var bias *tensor.Node
	if l.Bias != nil {
		bias = l.Bias.Node(g)
	}
	a := l.Adapters[in.Adapter]
	if in.Adapter == "" || a == nil {
		return tensor.Linear(x, w, bias)
	}
	o := tensor.LoRAOptions{Scale: a.Scale, Salt: a.Salt}
	if in.Training {
		o.Dropout = a.Dropout
	}
	return tensor.LinearLoRA(x, w, bias, a.A.Node(g), a.B.Node(g), o)
}

// Distribution is the distribution over the vocabulary that l, as an output head
// without a bias, makes of the hidden states h (N,D), with the active adapter.
func (l *Linear) Distribution(in *Inputs, h *tensor.Node, o tensor.LogProbOptions) tensor.Distribution {
	g := h.Graph()
	if l.Bias != nil {
		tensor.Fail("nn: %s is an output head with a bias, want none", l.Path)
	}
	d := tensor.Distribution{H: h, Head: l.Weight.Node(g), Options: o}
	a := l.Adapters[in.Adapter]
	if in.Adapter == "" || a == nil {
		return d
	}
	if in.Training && a.Dropout > 0 {
		h = tensor.Dropout(h, a.Dropout, a.Salt)
	}
	d.Low, d.LowHead = tensor.Scale(tensor.Linear(h, a.A.Node(g), nil), a.Scale), a.B.Node(g)
	return d
}
