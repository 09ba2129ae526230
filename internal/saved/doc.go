// Package saved is what the stages of training save of a run beside its weights:
// the place in the data and the options that decide what a step computes. It
// compares them with the run that goes on.
//
// Start with State.
package saved
