// Package phi builds models of the Phi-3 family (model_type phi3: Phi-3, Phi-3.5
// and Phi-4): a Llama whose queries, keys and values are one fused projection, as
// are gate and up; contexts beyond 4096 tokens come by longrope.
//
// Abdin et al. 2024, "Phi-3 Technical Report", arXiv:2404.14219.
//
// The fused projections are one linear layer each, qkv_proj and gate_up_proj, so
// an adapter has one update for the whole. Longrope goes by the length of each
// sequence, where transformers goes by the longest of the batch. GGUF files with
// longrope are refused.
package phi
