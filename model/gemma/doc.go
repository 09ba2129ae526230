// Package gemma builds text models of the Gemma 3 family (model_type
// gemma3_text): norms before and after each half of a layer, norm weights stored
// less 1, embeddings scaled by √D, per-head norms of queries and keys, and
// sliding layers with rotary frequencies of their own.
//
// Gemma team 2025, "Gemma 3 Technical Report", arXiv:2503.19786.
//
// The scale √D is exact here; a run of transformers in bfloat16 rounds it.
package gemma
