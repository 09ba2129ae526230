// Package ensemble scores with several reward models at once, so that a policy finds
// it harder to please a mistake of one of them: where the members disagree, a
// conservative Rule believes the sceptics.
//
// Start with New for separate models, or with NewHeads for a head with several
// labels on one trunk, which Heads trains; both are reward.Verifiers, and fit
// dpo/online and rlhf/rollout as those do. Average merges models that were trained
// from the same start into one instead (WARM), at the cost of one. WriteCurves
// draws what optimising against scores does to the true reward
// (docs/figures/over-optimisation.html is one of its pages).
//
// Scores of reward models that learnt from comparisons have no common level or
// scale: measure them with Standardise on answers of the first policy before they are
// compared with each other, or the minimum is always the same member's.
//
// Limitations: the heads of a shared trunk differ by their initial weights alone, so
// they disagree less than separate models do; the mean of any number of members
// still over-optimises, where all of them are wrong alike so does every rule.
//
// Coste et al. 2023, "Reward Model Ensembles Help Mitigate Overoptimization",
// arXiv:2310.02743. Ramé et al. 2024, "WARM: On the Benefits of Weight Averaged Reward
// Models", arXiv:2401.12187.
package ensemble
