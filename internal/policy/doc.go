// Package policy holds what trainers of a policy have in common: which parameters
// are trained and whether they can be, their files in a checkpoint, and the inputs
// of a packed forward pass.
//
// Start with Policy and Texts. It knows nothing of losses.
package policy
