// Package generate continues texts: batched decoding with a key-value cache,
// sampling, stopping and streaming.
//
// Start with New and Generator.Generate; Generator.Stream yields one sequence
// token by token. Sampling randomness is keyed by (seed, sequence, position), so
// a sequence's tokens do not depend on what else is in the batch.
//
// Every token carries its log-probability twice: under the distribution it was
// sampled from (after temperature and truncation) and under the raw model; the
// latter equals what training computes for the same tokens, within rounding.
package generate
