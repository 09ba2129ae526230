package nn

import "github.com/posttrain/posttrain/tensor"

// Linear is y = x·Wᵀ + b, or x·W + b where the weight is stored Transposed, with any number of adapters of which at most one is
// active in a graph: it changes what the layer computes, replaces parameters, or both.
type Linear struct {
	Path       string        // module path in the checkpoint, such as model.layers.0.self_attn.q_proj
	Weight     *tensor.Param // (out, in)
	Bias       *tensor.Param // (out), or nil
	Transposed bool          // the weight is (in, out), as in GPT-2's Conv1D
	Adapters   map[string]Adapter
	Replaced   Replacements
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
	if a := l.Adapters[in.Adapter]; in.Adapter != "" && a != nil {
		return a.Forward(in, l, x)
	}
	return l.Plain(in, x)
}

// Plain is Forward without what an adapter adds; parameters that it replaces are
// replaced.
func (l *Linear) Plain(in *Inputs, x *tensor.Node) *tensor.Node {
	w, bias := l.nodes(in, x.Graph())
	return l.product(x, w, bias)
}

// nodes are the weight and the bias, which may be nil, that count in a graph.
func (l *Linear) nodes(in *Inputs, g *tensor.Graph) (w, bias *tensor.Node) {
	weight, b := l.Replaced.choose(in, l.Weight, l.Bias)
	if b != nil {
		bias = b.Node(g)
	}
	return weight.Node(g), bias
}

// WeightNode is the weight that counts in a graph, as it is stored: the active
// adapter's own one where it replaces it. What an adapter adds is not in it.
func (l *Linear) WeightNode(in *Inputs, g *tensor.Graph) *tensor.Node {
	w, _ := l.nodes(in, g)
	return w
}

// product is x·wᵀ + bias with w the way round that the layer stores it.
func (l *Linear) product(x, w, bias *tensor.Node) *tensor.Node {
	if l.Transposed {
		return tensor.LinearTransposed(x, w, bias)
	}
	return tensor.Linear(x, w, bias)
}

// Distribution is the distribution over the vocabulary that l, as an output head
// without a bias, makes of the hidden states h (N,D), with the active adapter.
func (l *Linear) Distribution(in *Inputs, h *tensor.Node, o tensor.LogProbOptions) tensor.Distribution {
	w, bias := l.nodes(in, h.Graph())
	if bias != nil {
		tensor.Fail("nn: %s is an output head with a bias, want none", l.Path)
	}
	d := tensor.Distribution{H: h, Head: w, Options: o}
	a := l.Adapters[in.Adapter]
	if in.Adapter == "" || a == nil {
		return d
	}
	head, ok := a.(HeadAdapter)
	if !ok {
		tensor.Fail("nn: %s: an adapter of type %T cannot change an output head", l.Path, a)
	}
	return head.Head(in, l, d)
}
