package nn

import "github.com/posttrain/posttrain/tensor"

// MoE is a mixture of experts: a router sends each token to TopK of the experts, whose
// results are added up with the router's weights.
//
// Shazeer et al. 2017, "Outrageously Large Neural Networks", arXiv:1701.06538;
// Jiang et al. 2024, "Mixtral of Experts", arXiv:2401.04088.
//
// Experts are ordinary layers, and LoRA adapters can be attached to them: all gates,
// all up or all down projections of a mixture, with one rank and scale. Their
// dropout draws one mask for all experts of a token.
type MoE struct {
	Router    *tensor.Param // (E, D)
	Experts   []*GatedMLP
	TopK      int
	Normalize bool // the weights of a token's experts sum to 1
}

// Forward maps x (N,D) to (N,D).
func (m *MoE) Forward(in *Inputs, x *tensor.Node) *tensor.Node {
	logits := tensor.Linear(x, m.Router.Node(x.Graph()), nil)
	weights, index, probs := tensor.Route(logits, tensor.RouteOptions{K: m.TopK, Normalize: m.Normalize})
	if in.OnRoute != nil {
		in.OnRoute(index, probs)
	}
	gate := m.project(in, x, index, func(e *GatedMLP) *Linear { return e.Gate })
	up := m.project(in, x, index, func(e *GatedMLP) *Linear { return e.Up })
	y := m.project(in, tensor.GLU(gate, up, m.Experts[0].Activation), index, func(e *GatedMLP) *Linear { return e.Down })
	return tensor.MixExperts(y, weights)
}

// project sends x through one layer of each token's experts.
func (m *MoE) project(in *Inputs, x, index *tensor.Node, layer func(e *GatedMLP) *Linear) *tensor.Node {
	g := x.Graph()
	weights := make(tensor.Nodes, len(m.Experts))
	for i, e := range m.Experts {
		l := layer(e)
		w, bias := l.nodes(in, g)
		if bias != nil || l.Transposed {
			tensor.Fail("nn: %s is an expert with a bias or a transposed weight, want neither", l.Path)
		}
		weights[i] = w
	}
	y := tensor.ExpertLinear(x, index, weights...)
	updates := m.updates(in, layer)
	if updates == nil {
		return y
	}
	first := updates[0]
	if in.Training && first.Dropout > 0 {
		x = tensor.Dropout(x, first.Dropout, first.Salt)
	}
	low, high := make(tensor.Nodes, len(updates)), make(tensor.Nodes, len(updates))
	for i, u := range updates {
		low[i], high[i] = u.A.Node(g), u.B.Node(g)
	}
	update := tensor.ExpertLinear(tensor.ExpertLinear(x, index, low...), index, high...)
	return tensor.Add(y, tensor.Scale(update, first.Scale))
}

// updates are the active adapter's updates of one layer of all experts, nil for none.
func (m *MoE) updates(in *Inputs, layer func(e *GatedMLP) *Linear) []*LowRank {
	if in.Adapter == "" {
		return nil
	}
	var list []*LowRank
	for _, e := range m.Experts {
		l := layer(e)
		a := l.Adapters[in.Adapter]
		if a == nil {
			continue
		}
		low, ok := a.(*LowRank)
		if !ok || low.Bias != nil || low.Magnitude != nil {
			tensor.Fail("nn: %s is an expert, whose adapter must be plain LoRA", l.Path)
		}
		list = append(list, low)
	}
	if len(list) == 0 {
		return nil
	}
	if len(list) != len(m.Experts) {
		tensor.Fail("nn: adapter %q is on %d of %d experts of %s, want all or none", in.Adapter, len(list), len(m.Experts), layer(m.Experts[0]).Path)
	}
	for _, u := range list[1:] {
		if u.Scale != list[0].Scale || u.Dropout != list[0].Dropout || u.A.Shape()[0] != list[0].A.Shape()[0] {
			tensor.Fail("nn: the experts of %s have updates of different ranks, scales or dropout, want the same", layer(m.Experts[0]).Path)
		}
	}
	return list
}
