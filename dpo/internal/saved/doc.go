// Package saved compares what a checkpoint says about a run with the run that goes
// on from it.
package saved
