// Package generate continues texts: batched decoding with a key-value cache,
// sampling, stopping and streaming.
//
// Start with New and Generator.Generate; Generator.Stream yields one sequence
// token by token. Config says how much is decoded at once and Options how one
// text is continued.
//
// Sampling randomness is keyed by (seed, number of the prompt, position). A
// sequence's tokens and log-probabilities have the same bits whatever else is in
// the batch and wherever in the cache it lies. Of the settings of a Generator
// only Config.Chunk, and whether there are at least 24 Config.Sequences, changes
// them (in the last bits).
//
// A prompt that is asked for several times, as groups of completions are, is computed
// once, however few sequences are decoded at once, provided the equal ones stand side
// by side.
//
// Every token carries its log-probability twice: under the distribution it was
// sampled from (after temperature and truncation) and under the raw model; the
// latter equals what training computes for the same tokens, within 1e-5 in
// float32.
//
// # Limitations
//
// Models whose rotary frequencies depend on the length of the sequence (dynamic
// NTK, longrope) rotate each key by the length at the time it was computed: a
// whole chunk of the prompt by the position of the chunk's end, later tokens by
// their own. For sequences beyond the model's original length that is what
// transformers does with a cache, but not what training computes, so
// log-probabilities differ there. Up to the original length they are equal.
//
// The cache holds every position of every layer in float32, of layers with a
// sliding window too.
package generate
