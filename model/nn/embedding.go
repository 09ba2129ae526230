package nn

import "github.com/posttrain/posttrain/tensor"

// Embedding looks the rows of a table up and multiplies them by Scale, with any
// number of adapters of which at most one is active in a graph: it adds a low-rank
// update, or looks up in a table of its own.
//
// The A of an adapter is kept transposed, (V, r), so that it is looked up like
// the table; the update of a row is Scale of the adapter times B·A[id], and is
// multiplied by the embedding's Scale as the row is, so that a merged adapter
// computes what an active one does. Dropout of an adapter does not apply here, as
// in PEFT.
type Embedding struct {
	Path     string        // module path in the checkpoint, such as model.embed_tokens
	Weight   *tensor.Param // (V, D)
	Scale    float64       // √D in Gemma, else 1
	Adapters map[string]*LowRank
	Replaced Replacements
}

// Forward maps ids (N) to (N, D).
func (e *Embedding) Forward(in *Inputs, ids *tensor.Node) *tensor.Node {
	g := ids.Graph()
	table, _ := e.Replaced.choose(in, e.Weight, nil)
	x := tensor.Embedding(table.Node(g), ids, e.Scale)
	a := e.Adapters[in.Adapter]
	if in.Adapter == "" || a == nil {
		return x
	}
	low := tensor.Embedding(a.A.Node(g), ids, a.Scale*e.Scale)
	return tensor.Add(x, tensor.Linear(low, a.B.Node(g), nil))
}
