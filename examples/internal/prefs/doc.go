// Package prefs is what examples that learn preferences share: comparisons and
// labelled answers read as the flags say, the policy, and an evaluation of what
// such training does beside its loss: how far the likelihood of preferred and other
// answers drifted from the start, and whether it is length that is rewarded.
package prefs
