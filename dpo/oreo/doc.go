// Package oreo learns to reason from trajectories with a reward at their end, good
// and bad ones, without pairs: offline reasoning optimisation. A value head learns
// what a state is worth under the KL-regularised optimum while the policy is drawn
// to it, so that credit reaches single tokens or steps.
//
// Start with NewBatcher for trajectories and New for a Trainer. Level says what an
// action is: a token, a step, or the whole response. Actions holds the objective
// itself, for graphs of one's own.
//
// The value head reads the hidden states of Options.Critic, a model with an adapter
// of its own that learns with it; without one it reads those of the policy, through
// which then no gradient of the value passes.
//
// Wang et al. 2024, "Offline Reinforcement Learning for LLM Multi-Step Reasoning",
// arXiv:2412.16145.
//
// Limitations: rewards are given once, at the end of a trajectory; the policy and
// its reference are computed in one graph, so that activations of both count in
// memory; references are not cached and do not move; there is no evaluation but a
// train.Evaluator of the caller's.
package oreo
