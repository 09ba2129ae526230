// Package dpo trains policies on comparisons: of two answers to a prompt one was
// preferred, and the policy is to make it more likely than the other, no further
// from a reference policy than it takes.
//
// Start with New, which takes a policy (a model and, usually, an adapter) and a
// source of packed pairs (Batcher), and returns a Trainer; its Steps iterates over
// optimizer steps, its Train runs to the end. A loss is a value: Sigmoid (DPO),
// IPO, Hinge, …, a Sum of several, or a caller's own LossFunc; Losses lists them.
// Some need no reference (ORPO, CPO, SimPO, AlphaPO): a run of them computes none.
// Each has its formula and source in its comment, and package losstest holds the
// laws all of them keep. Options name what is shared by all losses: β, the
// divergence, LD-DPO's α and the Reference, by default the policy as it was at the
// start.
//
// Reference.File keeps the reference's log-probabilities on disk, Reference.Sync lets
// it follow the policy (TR-DPO), and FilterPerplexity drops pairs that the reference
// would never have written. Package group compares more than two answers, online
// makes pairs of the policy's own answers, unpaired learns from single labels, and
// oreo from trajectories with rewards.
//
// A pair's prompt is computed once and shared by its answers, unless
// BatchOptions.Separate. How a step is cut into micro-batches does not change its
// gradient, but for losses that compare pairs with each other
// (Traits.BatchCoupled): they refuse a step of several micro-batches. A run resumes
// exactly, over the same pairs and from the same start only.
//
// Limitations: one device; dropout is off; adapters are those of package lora, so that
// the reference is the model without them or a copy of them; weights stored in 16 bits can carry an
// adapter but not be trained themselves; with models whose rotary frequencies
// depend on the length of a text (dynamic NTK, longrope) use BatchOptions.Separate.
package dpo
