// Package blend averages the weights of models that started from the same ones:
// checkpoints of a run, models trained with other seeds or on other data, and merged
// adapters.
//
// Weights combines parameters by a Method: Linear (model soups), SLERP, TIES and
// DARE. The last two work on task vectors, what training added to a base, so they
// need the base. Running averages during training are train.Average.
//
// All arithmetic is in float64, one tensor at a time, and rounded once to the type of
// the destination. Averaging models that do not share a start gives noise: nothing
// here can tell.
//
// To blend adapters, merge each into a copy of its base and blend those: the updates
// B·A are what is averaged then, exactly, which averaging A and B by themselves does
// not do.
package blend
