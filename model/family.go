package model

import (
	"github.com/posttrain/posttrain/tensor/gguf"
)

// Family is what the library knows about one kind of model: a model_type of
// config.json. See docs/guides/add-a-model.md.
type Family struct {
	// ModelType is model_type in config.json.
	ModelType string
	// Prefix begins the names of the parameters inside the model, such as
	// "transformer."; where a folder has it nowhere, it is put before every name.
	// Empty for families whose folders always have it.
	Prefix string
	// Class is the class of transformers, written to config.json where a model
	// that came from a GGUF file is saved.
	Class string
	// Defaults stand for fields that config.json leaves out.
	Defaults Defaults
	// New builds a model from its configuration and weights.
	New func(c *Config, l *Loader) (Model, error)
	// GGUF says how llama.cpp stores the family; nil where GGUF files of it are
	// not supported.
	GGUF *GGUF
}

// GGUF says how files of llama.cpp differ from a Hugging Face folder. The usual
// names and metadata keys are known (see package model/auto); a family lists what
// is different.
type GGUF struct {
	// Architecture is general.architecture.
	Architecture string
	// PairedQK says that the rows of queries and keys are stored in the order in
	// which neighbours are rotated.
	PairedQK bool
	// NormOffset was added to every norm weight: 1 for Gemma.
	NormOffset float32
	// Names replaces names inside a block, from the folder's to the file's, such
	// as "post_attention_layernorm": "ffn_norm".
	Names map[string]string
	// Outer does so for names outside of blocks, such as
	// "transformer.wte": "token_embd".
	Outer map[string]string
	// Blocks is the path of the blocks in the folder; empty for model.layers.
	Blocks string
	// Transposed lists the modules inside a block whose weight is (in, out) in
	// the folder; it is (out, in) in the file.
	Transposed []string
	// Config changes or adds fields of config.json that the usual keys do not
	// give; nil for none.
	Config func(f *gguf.File, fields map[string]any) error
}
