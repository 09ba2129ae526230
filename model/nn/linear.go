package nn

import "github.com/posttrain/posttrain/tensor"

// Linear is y = x·Wᵀ + b, or x·W + b where the weight is stored Transposed, with any number of adapters of which at most one is
// active in a graph: it adds a low-rank update, replaces parameters, or both.
type Linear struct {
	Path       string        // module path in the checkpoint, such as model.layers.0.self_attn.q_proj
	Weight     *tensor.Param // (out, in)
	Bias       *tensor.Param // (out), or nil
	Transposed bool          // the weight is (in, out), as in GPT-2's Conv1D
	Adapters   map[string]*LowRank
	Replaced   Replacements
}

// LowRank is the update Scale·B·A of a weight matrix.
//
// Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models",
// arXiv:2106.09685, eq. 3.
type LowRank struct {
	A, B    *tensor.Param // (r, in), (out, r); A of an Embedding is (in, r)
	Bias    *tensor.Param // (out), times Scale added to the update of a Linear; nil for none
	Scale   float64       // α/r, or α/√r with rank-stabilised scaling
	Dropout float64       // probability of zeroing an input feature in training
	Salt    uint64        // keys the dropout mask; distinct for each module
}

// In is the number of input features.
func (l *Linear) In() int {
	if l.Transposed {
		return l.Weight.Shape()[0]
	}
	return l.Weight.Shape()[1]
}

// Out is the number of output features.
func (l *Linear) Out() int {
	if l.Transposed {
		return l.Weight.Shape()[1]
	}
	return l.Weight.Shape()[0]
}

// Forward maps x (N,in) to (N,out).
func (l *Linear) Forward(in *Inputs, x *tensor.Node) *tensor.Node {
	g := x.Graph()
	weight, b := l.Replaced.choose(in, l.Weight, l.Bias)
	w := weight.Node(g)
	var bias *tensor.Node
	if b != nil {
		bias = b.Node(g)
	}
	a := l.Adapters[in.Adapter]
	if in.Adapter == "" || a == nil {
		if l.Transposed {
			return tensor.LinearTransposed(x, w, bias)
		}
		return tensor.Linear(x, w, bias)
	}
	o := tensor.LoRAOptions{Scale: a.Scale, Salt: a.Salt, Transposed: l.Transposed}
	if in.Training {
		o.Dropout = a.Dropout
	}
	return tensor.LinearLoRA(x, w, a.addBias(g, bias), a.A.Node(g), a.B.Node(g), o)
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

// Distribution is the distribution over the vocabulary that l, as an output head
// without a bias, makes of the hidden states h (N,D), with the active adapter.
func (l *Linear) Distribution(in *Inputs, h *tensor.Node, o tensor.LogProbOptions) tensor.Distribution {
	g := h.Graph()
	w, bias := l.Replaced.choose(in, l.Weight, l.Bias)
	a := l.Adapters[in.Adapter]
	active := in.Adapter != "" && a != nil
	if bias != nil || active && a.Bias != nil {
		tensor.Fail("nn: %s is an output head with a bias, want none", l.Path)
	}
	d := tensor.Distribution{H: h, Head: w.Node(g), Options: o}
	if !active {
		return d
	}
	if in.Training && a.Dropout > 0 {
		h = tensor.Dropout(h, a.Dropout, a.Salt)
	}
	d.Low, d.LowHead = tensor.Scale(tensor.Linear(h, a.A.Node(g), nil), a.Scale), a.B.Node(g)
	return d
}
