// Package losstest holds the laws that every policy loss must keep, for losses of
// package rlhf and for those of its users: call Run from a test of your own, or Check
// to have the faults as an error.
//
// The laws: gradients are those of finite differences, unless the loss declares that it
// stops some (Traits.StopsGradient); losses and gradients are finite where an answer
// has become e^±50 times as likely; what stands at masked tokens and in empty slots does
// not count; the order of rows does not matter; a row's loss does not depend on its
// neighbours, or on those outside of its group (Traits.WholeGroups); without advantage
// there is no gradient; on the sampling policy value and slope are the declared ones
// and a step against the gradient raises what had an advantage; corrections for the
// sampler multiply the gradient.
//
// Evaluate runs an objective over a small batch, for tests of numbers.
package losstest
