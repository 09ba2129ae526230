// Package sft fine-tunes causal language models on examples: all weights or a
// low-rank adapter, on whole texts, completions only or assistant turns only.
//
// Start with New, which takes a policy (a model and, usually, an adapter) and a
// source of packed batches, and returns a Trainer; its Steps iterates over
// optimizer steps, its Train runs to the end. The loss is a value: NLL (with
// label smoothing), DFT, or a caller's own.
//
// Which tokens are targets is decided where rows are prepared, in package data.
//
// Limitations: one device; embeddings of new tokens are not added.
package sft
