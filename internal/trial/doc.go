// Package trial is what the tests of trainers have in common: tiny random models and
// adapters, steps that are given, runs of a few steps, and comparisons of runs with
// each other and with recorded ones of other libraries.
//
// Start with Model, Adapter, Loop and Run.
package trial
