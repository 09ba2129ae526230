// Package cli gives the examples one set of habits: the flags of a training run
// with the same meaning everywhere, the opening of models and data that they
// name, and the printing of progress for people or as JSON lines.
package cli
