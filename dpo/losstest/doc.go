// Package losstest holds the laws that every preference loss must keep, for losses
// of package dpo and for those of its users: call Run from a test of your own, or
// Check elsewhere.
//
// The laws: gradients are those of finite differences; losses and gradients are
// finite where the policy is e^±300 times as sure as its reference; the order of
// pairs does not matter; slots without a pair do not count; a pair's loss does not
// depend on its neighbours, unless the loss declares that it does
// (Traits.BatchCoupled); a loss that declares itself reference-free ignores the
// reference; where policy and reference agree the loss has its declared value, and
// it is lower with the chosen answers ahead of it than with the rejected ones.
package losstest
