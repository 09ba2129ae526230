package nn

import "github.com/posttrain/posttrain/tensor"

// Embedding looks the rows of a table up and multiplies them by Scale, with any
// number of adapters of which at most one is active in a graph: it changes what is
// found, or looks up in a table of its own.
type Embedding struct {
	Path     string        // module path in the checkpoint, such as model.embed_tokens
	Weight   *tensor.Param // (V, D)
	Scale    float64       // √D in Gemma, else 1
	Adapters map[string]LookupAdapter
	Replaced Replacements
}

// Forward maps ids (N) to (N, D).
func (e *Embedding) Forward(in *Inputs, ids *tensor.Node) *tensor.Node {
	if a := e.Adapters[in.Adapter]; in.Adapter != "" && a != nil {
		return a.Lookup(in, e, ids)
	}
	return e.Plain(in, ids)
}

// Plain is Forward without what an adapter adds; a table that it replaces is
// replaced.
func (e *Embedding) Plain(in *Inputs, ids *tensor.Node) *tensor.Node {
	table, _ := e.Replaced.choose(in, e.Weight, nil)
	return tensor.Embedding(table.Node(ids.Graph()), ids, e.Scale)
}
