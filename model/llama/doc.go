// Package llama builds models of the Llama family: Llama 2 and 3, SmolLM2 and
// relatives (model_type llama), and Mistral with its sliding window (mistral).
//
// Touvron et al. 2023, "LLaMA: Open and Efficient Foundation Language Models",
// arXiv:2302.13971; Jiang et al. 2023, "Mistral 7B", arXiv:2310.06825.
package llama
