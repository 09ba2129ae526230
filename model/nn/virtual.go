package nn

import "github.com/posttrain/posttrain/tensor"

// VirtualTokens are tokens without a text that stand before every sequence, as a
// segment of the batch whose ids follow those of the vocabulary. It is an adapter
// of the embedding: while it is active, those ids may be in a batch.
type VirtualTokens interface {
	LookupAdapter
	// Virtual is the number K of virtual tokens.
	Virtual() int
	// KeyValues are what attention sees at the virtual tokens, for each layer, as
	// nodes (K, KV heads × head width); nil where that is computed from their
	// embeddings like everything else.
	KeyValues(g *tensor.Graph) []KV
}

// Virtual replaces keys and values of virtual tokens in the attention of every
// layer.
type Virtual struct {
	First int  // the first virtual id, which is the size of the vocabulary
	KV    []KV // of each layer
}

// replace is k and v of a layer, rotated already, with the rows of virtual tokens
// replaced; v nil replaces nothing.
func (r *Virtual) replace(in *Inputs, k, v *tensor.Node, layer int) (*tensor.Node, *tensor.Node) {
	if r == nil {
		return k, v
	}
	own := r.KV[layer]
	return tensor.ReplaceRows(k, own.K, in.Tokens, r.First), tensor.ReplaceRows(v, own.V, in.Tokens, r.First)
}
