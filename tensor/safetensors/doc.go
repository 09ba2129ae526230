// Package safetensors reads and writes safetensors files: named arrays behind a
// JSON header, the format of Hugging Face model folders.
package safetensors
