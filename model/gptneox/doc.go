// Package gptneox builds models of the GPT-NeoX family (model_type gpt_neox: Pythia
// and others): LayerNorm and biases, attention and MLP side by side, and rotary
// positions on a part of each head.
//
// Black et al. 2022, "GPT-NeoX-20B: An Open-Source Autoregressive Language Model",
// arXiv:2204.06745.
//
// Queries, keys and values of all heads are one linear layer, query_key_value,
// whose output is [q k v] of each head; an adapter has one update for the whole.
package gptneox
