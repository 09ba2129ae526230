// Package shapes holds the configurations of published models, so that examples
// can measure speed and memory with random weights, without a checkpoint.
package shapes
