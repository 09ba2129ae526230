// Package odin trains reward models that do not pay for length. A head with two
// labels stands on one trunk: the quality of an answer and the part of the preference
// that its length explains. Both together learn the comparisons; quality is kept from
// correlating with length, and what is left for length is dropped when policies are
// trained.
//
// Start with Train, which makes a reward.Net of a model for reward.New with Loss, and
// take Quality of it afterwards: an ordinary reward model with one score.
//
// Limitations: a quality that truly grows with length is held back, too. Correlations
// are those of a micro-batch, so an optimizer step should be one
// (reward.BatchOptions.TokensPerMicro), of thirty answers or more. Answers are as long
// as their tokens behind the prompt.
//
// Chen et al. 2024, "ODIN: Disentangled Reward Mitigates Hacking in RLHF",
// arXiv:2402.07319.
package odin
