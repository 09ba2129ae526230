package model

import (
	"iter"

	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
)

// Inputs are the nodes of a packed batch; see nn.Inputs.
type Inputs = nn.Inputs

// Model is a causal language model. It holds parameters and no other state, so
// it may be used by several graphs and goroutines; caches belong to the caller.
type Model interface {
	// Config is the model's configuration, which the caller must not change.
	Config() *Config
	// Params lists the parameters by checkpoint name in a stable order. A tied
	// head is listed once, as the embedding.
	Params() iter.Seq2[string, *tensor.Param]
	// Linears lists the linear layers that adapters are attached to by default,
	// by module path, in a stable order. The output head is not among them.
	Linears() iter.Seq2[string, *nn.Linear]
	// Norms lists the norms by module path, in a stable order.
	Norms() iter.Seq2[string, *nn.Norm]
	// Embedding is the input layer.
	Embedding() *nn.Embedding
	// Output is the output head as a layer; its weight is Head. Use it, or
	// Distribution, where an adapter on the head is to count.
	Output() *nn.Linear
	// Hidden builds the forward pass up to and including the final norm: (N,D).
	Hidden(g *tensor.Graph, in *Inputs) *tensor.Node
	// Head is the output matrix (V,D), tied or not.
	Head() *tensor.Param
}

// Distribution is m's own distribution over the vocabulary at each hidden state h
// (N,D), with the active adapter; its LogProbs method scores tokens.
func Distribution(m Model, in *Inputs, h *tensor.Node) tensor.Distribution {
	if m.Config().NoLanguageHead {
		tensor.Fail("model: a classifier has no distribution over the vocabulary, want a model with a language head")
	}
	return m.Output().Distribution(in, h, m.Config().LogitOptions())
}

// Batch is one packed micro-batch: N tokens in S segments.
type Batch struct {
	Tokens, Positions []int32 // (N)
	Ends              []int32 // (S) exclusive end of each segment
	Prefix            []int32 // (S) segment whose tokens stand before this one, or -1
}

// ParamCount is the number of parameters of m, in all and trainable.
func ParamCount(m Model) (total, trainable int) {
	for _, p := range m.Params() {
		total += p.Len()
		if p.Trainable() {
			trainable += p.Len()
		}
	}
	return total, trainable
}
