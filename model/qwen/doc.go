// Package qwen builds models of the Qwen family: Qwen2 and Qwen2.5 (model_type
// qwen2: biases on queries, keys and values) and Qwen3 (qwen3: per-head norms of
// queries and keys).
//
// Qwen team 2024, "Qwen2.5 Technical Report", arXiv:2412.15115; 2025, "Qwen3
// Technical Report", arXiv:2505.09388.
package qwen
