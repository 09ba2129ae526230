// Package policy holds what trainers of a policy have in common: which parameters
// are trained and whether they can be, their files in a checkpoint, and the packed
// forward pass: its inputs, the reverse pass into accumulators, and the
// log-probabilities of a policy that stands still. It holds, too, what their data
// has in common: the counts of a report, the checks of a batcher, fingerprints.
//
// Start with Policy, Texts and Live, for data with BatchSizes. It knows nothing of
// losses.
package policy
