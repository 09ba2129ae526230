// Package process trains and uses process reward models, which score every step
// of a solution instead of its end. Train is package reward's: Prepare turns
// solutions in steps into groups whose marked tokens carry the labels, and Loss is
// what reward.New minimises on them. Model scores steps and Aggregate makes one
// number of a solution's scores.
//
// Start with Prepare, or with NewModel where a model is trained already. Implicit
// takes the steps' rewards out of a policy instead, without labels of steps.
//
// A head with two labels is what TRL's PRMTrainer trains and transformers' token
// classification loads; a head with one works alike. Scores of steps are
// probabilities. A step is scored at its separator, so it must be tokenised as it
// was in training: prompt, each step and each separator on their own.
package process
