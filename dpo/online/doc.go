// Package online makes preferences while it trains: the policy answers, a Judge
// says which of its answers is better, and the pairs are learned from; then it
// answers again. With one optimizer step a round that is online DPO, with many it
// is iterative DPO.
//
// Start with New, which gives a Source, and pass that to dpo.New as the source of
// pairs; losses, references, checkpoints and logs are those of package dpo. A Judge
// is a rule or reward model (Scored), or a comparer, such as a language model
// (NewReader), that is asked in both orders (BothOrders).
//
// Let the reference follow with dpo.Sync{Every: Options.StepsPerRound}: each round is
// then held to the policy that began it, as iterative DPO with a new reference
// does; by default the reference is the policy at the start.
//
// A run is deterministic and resumes exactly, between rounds and inside them: the
// pairs of the round under way are part of the checkpoint. That needs a Judge that
// says the same of the same answers. An interrupted round is sampled and judged
// anew as a whole.
//
// Guo et al. 2024, "Direct Language Model Alignment from Online AI Feedback",
// arXiv:2402.04792. Judging in both orders: Lee et al. 2023, "RLAIF vs. RLHF",
// arXiv:2309.00267.
//
// Limitations: the policy must be an adapter or have a dpo.Reference.Model, because
// log-probabilities of pairs that are yet to be written cannot be cached; while a
// round is sampled nothing is trained; Source.Close is the caller's.
package online
