// Package rejection makes training data of a policy's own right answers:
// rejection-sampling fine-tuning (RFT), the rounds of STaR with its
// rationalisation, and distillation of the best of N.
//
// Start with New, whose Collector samples several completions of each prompt, asks a
// rollout.Rewarder (a verifier, a reward model) about them, drops what is wrong, cut
// off or said twice, and keeps at most Options.Keep of each prompt. A Round gives the
// kept ones as tokens (Round.Dataset, for data.NewBatcher and sft) or as rows
// (Round.Rows), with Stats that say what was dropped and why. Rounds repeats that:
// the sampler reads the policy's weights live, so what the loop's body trains is what
// samples next.
//
//	RFT                  the zero Options: 8 samples, at most 4 right and different ones
//	best of N            Options{All: true, Prefer: Best, Keep: 1}
//	regularised          the same, by a Regularised rewarder
//	long to short        Options{Prefer: Shortest, Keep: 1}
//	STaR                 Options.Hint, and a fresh adapter in each round
//
// A round is a function of weights, prompts, options and its number: equal ones
// give equal bits.
//
// Yuan et al. 2023, "Scaling Relationship on Learning Mathematical Reasoning with
// Large Language Models", arXiv:2308.01825 (RFT). Zelikman et al. 2022, "STaR:
// Bootstrapping Reasoning With Reasoning", arXiv:2203.14465. Touvron et al. 2023,
// "Llama 2", arXiv:2307.09288, §3.2.3 (best of N).
//
// # Limitations
//
// A right answer does not prove a right way to it: what is kept is as good as the
// verifier. A faulty rewarder ends the collection, but for a rollout.PartialError,
// whose unknown completions are dropped and counted. The caller trains, and saves
// what it needs to go on: a Collector has no position beside the round's number.
package rejection
