// Package gpt2 builds models of the GPT-2 family (model_type gpt2): learned
// positions, LayerNorm and biases, and weights that are stored (in, out).
//
// Radford et al. 2019, "Language Models are Unsupervised Multitask Learners".
//
// Files whose names lack "transformer.", as the first ones do, are read; saved
// ones have it. Queries, keys and values are one linear layer, c_attn.
package gpt2
