// Package pass holds what one pass of a model over packed texts needs, whichever
// kind of preference it is for: the inputs and how they are bound, the reverse
// pass into accumulators, and the log-probabilities of a frozen policy.
package pass
