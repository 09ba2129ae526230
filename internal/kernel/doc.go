// Package kernel holds the numeric kernels everything else stands on: matrix
// products, softmax, norms, activations, the AdamW update, conversions between
// float formats and counter-based random numbers, all on flat slices, and the
// worker pool that shares them between cores.
//
// Each kernel has a readable Go reference in a file named after it, and most
// have generated assembly for AVX2 and AVX-512 that is chosen at run time
// (Level, Levels, SetLevel; environment variable POSTTRAIN_ISA). The build tag
// purego leaves all assembly out. Results never depend on the number of
// workers. Each kernel says which of its results are the same bits at every
// level.
//
// Slices are checked for length at the door and kernels panic when one is too
// short; the callers in package tensor turn that into an error that names the
// operation. Unless a kernel says otherwise, operands that overlap must be the
// same slice.
package kernel
