// Package mixtral builds models of the Mixtral family (model_type mixtral): Mistral
// with a mixture of experts in every layer.
//
// Jiang et al. 2024, "Mixtral of Experts", arXiv:2401.04088.
//
// Limitations: GGUF files of the family are not supported, nor is
// router_jitter_noise, which transformers applies in training.
package mixtral
