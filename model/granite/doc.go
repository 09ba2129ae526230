// Package granite builds models of the Granite family (model_type granite): a
// Llama whose embeddings, attention scores, residual branches and logits are
// multiplied by constants of the configuration, as in maximal update
// parametrisation.
//
// IBM Granite team 2024, "Granite 3.0 Language Models"; Yang et al. 2022, "Tensor
// Programs V", arXiv:2203.03466.
package granite
