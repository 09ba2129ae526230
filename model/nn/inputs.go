package nn

import "github.com/posttrain/posttrain/tensor"

// Inputs are the nodes that describe a packed batch, and how the graph is to be
// built.
type Inputs struct {
	Tokens    *tensor.Node // (N) int32 token ids
	Positions *tensor.Node // (N) int32 position of each token in its sequence
	Ends      *tensor.Node // (S) int32 exclusive end of each segment; nil with a cache
	Prefix    *tensor.Node // (S) int32 segment whose tokens stand before this one, or -1; nil with a cache

	// Slots says which sequence of the cache each token belongs to, (N) int32,
	// and KV holds the cache of each layer. Both are nil in training.
	Slots *tensor.Node
	KV    []KV

	// Virtual, if set, replaces the keys and values of virtual tokens. Decoders set
	// it for an adapter that has some.
	Virtual *Virtual

	// Adapter names the adapter that is active; empty for the base model.
	Adapter string
	// Training turns dropout on.
	Training bool
	// OnEmbedding, if set, maps the embedded tokens (N,D) to what the first
	// layer reads; noise is added here.
	OnEmbedding func(x *tensor.Node) *tensor.Node
	// OnRoute, if set, is given what the router of each mixture of experts chose, in
	// order: the numbers of the experts (N,K) and all probabilities (N,E).
	// tensor.LoadBalance is for them.
	OnRoute func(index, probs *tensor.Node)
	// OnLayer, if set, is given the residual stream (N,D) after each layer, in
	// order. It is how recomputation learns where layers end.
	OnLayer func(x *tensor.Node)
}

// KV is the cache of one attention layer: keys and values, each (slots,
// capacity, KV heads × head width).
type KV struct{ K, V *tensor.Node }
