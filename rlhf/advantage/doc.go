// Package advantage turns rewards into what a policy is told: how much better than
// expected each completion, or each token, was. It is plain arithmetic on slices, in
// float64, without a graph.
//
// A batch is a list of completions, its rows; token values are ragged slices, one a
// row. A reward of NaN means that none is known: such rows are left out of all
// statistics and get the advantage 0.
package advantage
