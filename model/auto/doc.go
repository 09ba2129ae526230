// Package auto opens a checkpoint of any supported family: a Hugging Face folder
// or a GGUF file. It is the package most programs start with.
//
//	c, err := auto.Open("gemma-3-270m-q4_k_m.gguf", auto.Options{})
//
// Open gives a Checkpoint: model, tokenizer, chat template and the ids of special
// tokens. Save writes one as a Hugging Face folder that transformers and other
// tools read. Families lists what is supported: model_type llama, mistral, qwen2,
// qwen3, gemma, gemma2, gemma3_text, olmo2, granite, smollm3, phi3, gpt_neox, gpt2,
// mixtral and qwen3_moe, from GGUF files llama, qwen2, qwen3, gemma3, phi3 and gpt2; ParseConfig
// tells the family of a config.json, and New makes a model of one without a
// checkpoint. SaveGGUF writes a file of llama.cpp from a checkpoint of architecture
// llama, qwen2, qwen3 or gemma3; SaveAdapterGGUF and LoadAdapterGGUF do the same for
// adapters.
//
// A folder of transformers' …ForSequenceClassification or …ForTokenClassification,
// or of TRL's model with a value head, is opened with its Head, and Save writes one.
// transformers has no class with a head for granite, and none for tokens for olmo2
// and gemma3.
//
// A checkpoint is checked before it is used: every missing weight, wrong shape,
// NaN and tensor that would be left out is named in one error.
//
// # Caveats
//
// Quantised tensors of GGUF files are decoded to float32, so such a model takes
// more memory than its file; so do the NF4, FP4 and int8 weights of folders that
// bitsandbytes saved. Checkpoints of GPTQ, AWQ and FP8 with scales are refused. The
// configuration of a GGUF model is what llama.cpp's metadata tells:
// fields that it does not keep have the family's defaults, and eos, end-of-turn
// and end-of-message tokens all end a text. transformers scores a sequence at the
// last id that differs from pad_token_id, so a text that itself ends in that id gets
// another score there than here, where padding is not guessed from ids.
package auto
