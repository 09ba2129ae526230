// Package genrm makes a verifier of a language model that is asked whether an answer is
// right: the reward is the probability that it says yes. It is trained as any language
// model is, on answers with verdicts, and may think before it says so.
//
// Start with New; a model that follows instructions needs no training. Rows makes
// examples for package sft of judged answers. With Options.Rationales the verifier writes
// so many rationales first, and the reward is the mean over them.
//
// Limitations: a probability is as calibrated as the model is; an untrained one mostly
// says yes, so compare rewards with each other and not with a half. Sampling rationales
// costs what generating as many answers does.
//
// Zhang et al. 2024, "Generative Verifiers: Reward Modeling as Next-Token Prediction"
// (GenRM), arXiv:2408.15240.
package genrm
