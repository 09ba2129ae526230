// Package group trains policies on comparisons of more than two answers to a
// prompt: a group of answers preferred to another group, a ranking, or two steps
// that follow the same beginning of a solution.
//
// Start with NewBatcher for groups or NewRankingBatcher for rankings, and give it
// with MDPO, MIPO or PlackettLuce as the loss to dpo.New, which does the rest:
// adapters, references, checkpoints, evaluations. Steps prepares step-wise
// comparisons (Step-DPO), which are ordinary pairs with longer prompts.
//
// Groups are kept whole: they are never divided between micro-batches, so that how
// a step is cut up does not change its gradient. In the logged metrics an answer of
// each group stands against one of the other, in the order they are given in; in a
// ranking each answer stands against the next.
//
// Limitations: all groups of a dataset have the same number k of answers on each
// side, all rankings the same number of answers. The losses refuse other sources
// than this package's batchers; others of package dpo can be added with dpo.Sum,
// but for those that compare pairs with each other.
package group
