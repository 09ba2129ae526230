// Package rollout lets a policy answer prompts and scores what it says: the data
// of reinforcement learning.
//
// Start with Prompts, which makes prompts of dataset rows, and New, whose
// Collector yields one Rollout after the other: for each prompt a group of
// completions, every token with its provenance, every completion with the rewards
// of all Rewarders. A Sampler writes the completions; FromModel makes one of a
// generate.Generator, Converse one of a generator and an Environment.
//
// Completions belong together by the id of their group, never by their text or
// place. Rewards that are not known (a rewarder failed, timed out, panicked or
// gave NaN) are NaN and are left out of every statistic; see Options.OnFault.
//
// # Limitations
//
// Deadlines of rewarders read the clock: a run in which one passes cannot be
// repeated bit for bit. A rewarder that ignores its context cannot be stopped; it
// is left behind and not asked again before it has returned.
package rollout
