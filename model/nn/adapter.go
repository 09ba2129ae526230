package nn

import "github.com/posttrain/posttrain/tensor"

// Adapter changes what a linear layer computes in graphs where it is active.
type Adapter interface {
	// Forward maps x (N,in) to (N,out) in place of l, whose own result is
	// l.Plain(in, x).
	Forward(in *Inputs, l *Linear, x *tensor.Node) *tensor.Node
}

// HeadAdapter is an Adapter that can change an output head, whose logits are never
// made as a whole.
type HeadAdapter interface {
	Adapter
	// Head changes d, the distribution of l without the adapter.
	Head(in *Inputs, l *Linear, d tensor.Distribution) tensor.Distribution
}

// LookupAdapter changes what an embedding computes in graphs where it is active.
type LookupAdapter interface {
	// Lookup maps ids (N) to (N,D) in place of e, whose own result is
	// e.Plain(in, ids).
	Lookup(in *Inputs, e *Embedding, ids *tensor.Node) *tensor.Node
}
