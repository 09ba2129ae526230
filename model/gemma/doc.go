// Package gemma builds text models of the Gemma family (model_type gemma, gemma2
// and gemma3_text): norm weights stored less 1 and embeddings scaled by √D. Gemma 2
// adds norms behind each half of a layer, soft caps of scores and logits, and
// windows in every other layer; Gemma 3 per-head norms of queries and keys, and
// sliding layers with rotary frequencies of their own, without soft caps.
//
// Gemma team 2024, "Gemma: Open Models Based on Gemini Research and Technology",
// arXiv:2403.08295; "Gemma 2: Improving Open Language Models at a Practical Size",
// arXiv:2408.00118; 2025, "Gemma 3 Technical Report", arXiv:2503.19786.
//
// The scale √D is exact here; a run of transformers in bfloat16 rounds it.
package gemma
