// Package tiny embeds a language model of under a million parameters, so that
// every example runs without a download. It is a Llama with a byte-level
// vocabulary: any text can be encoded. It was trained by this library, by
// package tiny/recipe, to add numbers of two digits, and stopped early: about one
// in five held-out sums is right. It knows nothing else.
//
//	go run ./examples/internal/tiny/recipe -out examples/internal/tiny/checkpoint
//
// trains it again; equal machines give equal bits.
package tiny
