// Package smollm builds models of the SmolLM3 family (model_type smollm3): a Llama
// in which some layers, every fourth by default, see no positions. SmolLM and
// SmolLM2 are of the Llama family; see package llama.
//
// Yang et al. 2025, "Rope to Nope and Back Again", arXiv:2501.18795.
//
// In no_rope_layers of config.json 1 says that a layer rotates, 0 that it does not.
package smollm
