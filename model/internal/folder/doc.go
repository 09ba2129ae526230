// Package folder reads and writes the files of small adapters: parameters in
// safetensors files and a configuration in JSON, each file whole or not at all.
package folder
