// Package feedback learns rewards from what users do: clicks, acceptances, ratings of
// the one answer they were shown. Such logs say nothing of what was not looked at and
// not shown; weights by propensity, the probability of having been looked at or
// shown, make up for it.
//
// Start with Rows, which turns impressions into rows for reward.Prepare and the loss
// reward.Outcome, with propensities of the places in a list (Examination measures
// them). Evaluate estimates from logs of one policy what another would earn (IPS and
// SNIPS), with its error and the number of samples that it rests on. Divergence says
// whether a reward model likes what is engaging or what is good.
//
// Limitations: propensities must be right, and above 0 where anything is to be learnt;
// no estimate knows of answers that the logging policy never gives. Clipped weights
// are biased, by how much is not known: Estimate.Clipped says how often. Users who
// click by mistake are not modelled.
//
// Joachims, Swaminathan and Schnabel 2017, "Unbiased Learning-to-Rank with Biased
// Feedback", arXiv:1608.04468. Swaminathan and Joachims 2015, "The Self-Normalized
// Estimator for Counterfactual Learning" (NeurIPS).
package feedback
