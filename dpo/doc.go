// Package dpo trains policies on comparisons: of two answers to a prompt one was
// preferred, and the policy is to make it more likely than the other, no further
// from a reference policy than it takes.
//
// A loss is a value: Sigmoid (DPO), IPO, Hinge, … , a Sum of several, or a
// caller's own LossFunc; Losses lists them. Each has its formula and source in its
// comment, and package losstest holds the laws all of them keep.
package dpo
