// Package bnb decodes and encodes the number formats of bitsandbytes: NF4 and FP4,
// four bits a weight with a scale a block, and the int8 of LLM.int8(), a byte a
// weight with a scale a row.
//
// Four is a tensor in four bits: Four.Float32 decodes it, Quantize makes one.
// Scales that are quantised themselves ("double quantisation") are a Nested, made
// by Nest. ParseState reads the JSON text that a checkpoint keeps beside such a
// tensor. Eight and QuantizeRows are the same for int8. Package model/auto opens
// whole checkpoints through these.
//
// Decoding is the library's arithmetic bit for bit: one multiplication in float32,
// two and an addition for nested scales. Blocks run over the flattened tensor and
// may cross rows; the CPU code of bitsandbytes up to 0.50 decodes tensors whose
// rows are no multiple of a block differently, and wrong.
//
// Limitations: tensors are decoded as a whole, to float32; nothing computes on
// four bits. Rows with outliers that LLM.int8() keeps in 16 bits are a matter of
// activations, not of weights, and have no part here.
package bnb
