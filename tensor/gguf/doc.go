// Package gguf reads GGUF model files: metadata, tensor descriptions and tensor
// data, which it decodes to float32.
package gguf
