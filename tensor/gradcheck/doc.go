// Package gradcheck compares gradients with central differences in float64: the
// test that every op, block and loss should pass, yours included.
//
// Describe what is tested as a Function (inputs, and how outputs are built from
// them), and call Check. It builds the graph, differentiates a random weighted
// sum of all outputs, changes every input element a little up and down, and
// compares. Gorgonia's own ops take part like ours.
//
// # Limitations
//
// A difference straddles kinks: keep inputs a few steps away from points where
// the function is not smooth (the corners of Clip, ReLU at 0, ties of Min).
// Build must be a pure function of the inputs; ops with a cache are not.
package gradcheck
