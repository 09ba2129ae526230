// Package rlhf improves a policy from rewards: PPO, GRPO and their relatives.
//
// Start with New, which takes a policy (a model and, usually, an adapter), prompts and
// rewards (package rollout), and returns a Trainer; its Steps iterates over optimizer
// steps, its Train runs to the end. Each rollout answers some prompts with groups of
// completions, has them rewarded, and is learned from for one or several steps.
//
// What is minimised is a value: Objective holds a policy Loss, one file each (GRPO, the
// default, PPO, REINFORCE, …), a KL to the Reference and an entropy term. An
// AdvantageEstimator turns rewards into advantages; a Critic, for PPO and A2C, does so
// in its place. Options name the rest: clipping and shaping of rewards, coefficients
// that follow a target, Constraints, Alarms that stop a run, supervised learning
// beside it (Taught), and Correction for samplers of another arithmetic. TRPO is a
// step of its own, without the loop.
//
// Package advantage has the arithmetic of rewards as plain functions, guard what keeps
// a run from running off, losstest the laws of losses; rejection makes training data of
// a policy's own right answers, and feedback lets a language model judge.
//
// How a step is cut into micro-batches does not change its gradient. In the first step
// the trainer asserts that sampler and trainer agree (ErrFirstStep). A run resumes
// exactly, between rollouts and inside them, over the same prompts.
//
// Limitations: one device, and one process that samples and trains in turn; dropout is
// off; adapters are those of package lora; weights stored in 16 bits can carry an
// adapter but not be trained themselves; a rollout that was interrupted is sampled and
// rewarded anew.
package rlhf
