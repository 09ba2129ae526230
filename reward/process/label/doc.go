// Package label finds out which steps of a solution are right without asking people:
// a step is good if the solution can still be finished from there. A policy finishes
// it several times, and a checker of final answers counts.
//
// Start with New, over a Sampler (NewSampler makes one of a generate.Generator) and a
// reward.Verifier. Rater.Rate gives every step the share of finished solutions that
// were right (Math-Shepherd), hard or soft, and Rater.FirstError finds the first
// mistake by binary search (OmegaPRM), at the cost of a logarithm of rollouts. Both
// make rows that process.Prepare takes.
//
// Limitations: labels say what this policy can finish, and are as good as it is. A
// policy that recovers from mistakes makes late steps look good; one that fails often
// makes good steps look bad, which more rollouts help. The binary search believes
// that after a mistake no rollout is right, and that the bare problem can be solved.
// OmegaPRM's tree of rollouts is not built: each solution is searched by itself.
//
// Wang et al. 2024, "Math-Shepherd: Verify and Reinforce LLMs Step-by-step without
// Human Annotations", arXiv:2312.08935. Luo et al. 2024, "Improve Mathematical
// Reasoning in Language Models by Automated Process Supervision" (OmegaPRM),
// arXiv:2406.06592.
package label
