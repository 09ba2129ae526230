// Package algebra reads the short formulas that people and models give as final
// answers (LaTeX or plain) and says whether two of them mean the same.
//
// Parse gives a Node; Equal compares two. Numbers are compared exactly as
// rationals where both sides are rational; other expressions by their complex
// values at fixed points (an identity test in the manner of Schwartz and Zippel),
// so algebraic rearrangement needs no rewriting rules. Sets, lists, intervals,
// tuples, unions, relations, matrices and words are compared as what they are.
//
// Everything is bounded: input length, nesting, nodes and evaluation steps.
package algebra
