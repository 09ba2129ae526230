// Package sft fine-tunes causal language models on examples: all weights, an adapter
// (package lora), virtual tokens (package soft) or bottlenecks (package houlsby), on
// whole texts, completions only or assistant turns only.
//
// Start with New, which takes a policy (a model and, usually, an adapter) and a
// source of packed batches (data.Batcher), and returns a Trainer; its Steps
// iterates over optimizer steps, its Train runs to the end. The loss is a value:
// NLL (with label smoothing), DFT, or a caller's own LossFunc. PlanMemory says
// what a run takes before it is begun.
//
// Which tokens are targets is decided where rows are prepared, in package data.
// How a step is cut into micro-batches does not change its gradient, and neither
// threads, Recompute nor capacities change a bit of the result. A run resumes
// exactly, over the same data only.
//
// Limitations: one device; the vocabulary is not grown for new tokens; weights stored
// in 16 bits can carry an adapter but not be trained themselves. Dropout and
// NEFTune draw by micro-batch, and Options.RouterBalance is a value of a micro-batch, so
// under them the cut does matter.
package sft
