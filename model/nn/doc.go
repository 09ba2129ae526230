// Package nn holds the blocks that language models are made of: linear layers
// with adapters of several kinds (Adapter), norms, gated feed-forward layers, and attention with
// rotary positions. A block is a struct of parameters with a Forward method that
// adds nodes to a graph; the same block describes training, scoring and cached
// decoding.
//
// Activations are packed: a matrix (N,D) of N tokens from several segments, with
// D features, and no padding. Shapes use the letters of package tensor.
//
// All functions with nodes in their signature may stop graph building; see
// tensor.Build.
package nn
