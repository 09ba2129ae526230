// Package problems gives examples of reinforcement learning what they have in
// common: problems with right answers, a verifier, and an exam on problems that are
// held out.
package problems
