// Package model describes language models: their configuration, parameters and
// forward pass, as the same graph for training, scoring and decoding.
//
// Start with Model, the interface that every family implements, and with package
// model/auto, which loads a checkpoint of any supported family. To add a family,
// see docs/guides/add-a-model.md: it is a function that names the parameters of
// a Decoder.
//
// Parameters carry the names of the Hugging Face checkpoint, whatever file they
// came from.
package model
