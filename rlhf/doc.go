// Package rlhf improves a policy from rewards: the policy-gradient losses of the
// field, one file each, and what is added to them.
package rlhf
