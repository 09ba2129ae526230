// Package modeltest checks implementations of model families.
//
// Run is a conformance suite for any family: gradients against finite
// differences, causality, packing, cached decoding, saving and loading, and
// errors. Call it from a test of the family with a tiny configuration.
//
// Compute runs a model over rows of tokens and returns all there is to compare:
// hidden states of every layer, log-probabilities, entropies, logits, loss and
// gradients. Tiny makes a small random model of any family.
//
// It is for tests: it allocates freely and keeps whole arrays of (tokens ×
// vocabulary).
package modeltest
