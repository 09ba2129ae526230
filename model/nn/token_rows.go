package nn

import "github.com/posttrain/posttrain/tensor"

// TokenRows replaces a few rows of an embedding's table, and of the output head.
// Other rows are the layer's own.
type TokenRows struct {
	Indices []int         // the rows, all different
	Rows    *tensor.Param // (K, D), float32 or float64
	// Old are the head's own rows and Places (V, K) is 1 where row Indices[k] meets
	// column k, else 0. They are for a head only.
	Old, Places *tensor.Param
}

// Lookup implements LookupAdapter.
func (a *TokenRows) Lookup(in *Inputs, e *Embedding, ids *tensor.Node) *tensor.Node {
	g := ids.Graph()
	table, _ := e.Replaced.choose(in, e.Weight, nil)
	return tensor.EmbeddingOver(table.Node(g), a.Rows.Node(g), ids, a.Indices, e.Scale)
}

// Forward implements Adapter: y = x·Wᵀ + (x·(Rows − Old)ᵀ)·Placesᵀ.
func (a *TokenRows) Forward(in *Inputs, l *Linear, x *tensor.Node) *tensor.Node {
	return tensor.Add(l.Plain(in, x), tensor.Linear(a.change(x), a.Places.Node(x.Graph()), nil))
}

// Head implements HeadAdapter.
func (a *TokenRows) Head(in *Inputs, l *Linear, d tensor.Distribution) tensor.Distribution {
	d.Low, d.LowHead = a.change(d.H), a.Places.Node(d.H.Graph())
	return d
}

// change is what the logits of the rows (N, K) differ by.
func (a *TokenRows) change(x *tensor.Node) *tensor.Node {
	g := x.Graph()
	return tensor.Linear(x, tensor.Sub(a.Rows.Node(g), a.Old.Node(g)), nil)
}
