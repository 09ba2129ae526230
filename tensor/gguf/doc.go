// Package gguf reads and writes GGUF model files, the format of llama.cpp:
// metadata, tensor descriptions and tensor data, which it decodes to float32 and
// quantises from it. Start with [Open] or [Create].
//
// [Open] maps the file, reads its descriptions (milliseconds for a model with a
// vocabulary of 262 144) and leaves tensor data on disk until a [Tensor] is asked
// for it. Versions 2 and 3 are read, little-endian, one file or split into parts.
// Types F32, F16, BF16, F64, I8 to I64 and all block types that ggml stores weights
// in (Q, K, IQ, TQ, MXFP4, NVFP4) are decoded, bit for bit as ggml decodes them;
// Q8_1 and Q8_K, which hold activations, are listed and refused by name.
//
// # How a file differs from a Hugging Face folder
//
// Checked against the converter's output in testdata/oracle/formats/gguf_models:
//
//   - [Tensor.Shape] is (out, in) as in the folder; the file itself lists
//     dimensions in reverse. All other orders are equal, so a weight that the list
//     below does not name is the folder's weight, number for number.
//   - Architecture "llama" (Mistral and SmolLM2 included): the rows of attn_q and
//     attn_k are reordered inside each head of d rows, from halves to pairs: row
//     2i is the folder's row i, row 2i+1 its row d/2+i, for i < d/2. llama.cpp
//     rotates neighbours, Hugging Face rotates halves. A loader that rotates halves
//     must undo this; attn_k has attention.head_count_kv heads. A LoRA adapter in
//     this format has the rows of its B matrices reordered alike. qwen2, qwen3 and
//     gemma3 are not reordered.
//   - Architecture "gemma3": every norm weight, attn_q_norm and attn_k_norm
//     included, is stored as 1+w in float32, w being the folder's weight.
//   - Tied embeddings: there is no output.weight; use token_embd.weight.
//   - 1-D tensors are F32 even in quantised files.
//   - rope_freqs.weight, of models with llama3 rope scaling, holds divisors of
//     the rotary frequencies; no metadata key says that they apply.
//
// Names: token_embd, output_norm, output, and for block N blk.N.attn_norm (the
// folder's input_layernorm), attn_q, attn_k, attn_v (".bias" too in qwen2),
// attn_output, attn_q_norm, attn_k_norm (qwen3, gemma3), ffn_gate, ffn_up, ffn_down,
// each with ".weight". ffn_norm is post_attention_layernorm, except in gemma3: there
// it is pre_feedforward_layernorm, post_attention_norm is post_attention_layernorm,
// and post_ffw_norm is post_feedforward_layernorm.
//
// What gemma3 needs and no key says: the embedding scale √hidden, that every sixth
// layer is global, and in older files the local rope base (rope.freq_base_swa,
// 10000 where absent).
//
// # Writing
//
// [Create] takes metadata and descriptions and gives a [Writer]; the file has its
// name only when all tensors are there. [Quantize] and [Writer.WriteFloat32] encode
// F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1 and Q2_K to Q6_K. How they round:
//
//   - F16, BF16: to nearest, ties to even. A number that would become infinite is
//     refused ([ErrRange]).
//   - Q8_0: d is the largest magnitude / 127; numbers are multiplied by 1/d in
//     float32, before d becomes a half, and rounded, ties away from zero.
//   - Q4_0, Q5_0: the first number of the largest magnitude becomes the code 0, so
//     d = number / -8 (-16); codes are x/d + 8.5 (16.5) cut to a whole number.
//   - Q4_1, Q5_1: from the least number m in steps of (largest - m) / 15 (31);
//     codes are (x-m)/d + 0.5 cut to a whole number.
//   - Q2_K to Q6_K leave the choice of scales to the writer; see quantize_k.go. The
//     squared error is at or below ggml's on every tensor of
//     testdata/oracle/formats/gguf_blocks; there is no importance matrix.
//
// A block whose scale is larger than a half float is refused, and so is one with a
// NaN or infinity. A [Loss] tells how far numbers moved.
//
// # Errors and limits
//
// A malformed file is an error that names the file and the place. Parsing
// allocates less than the size of the file plus 64 MiB and takes at most 65 536
// keys, 131 072 tensors, 2²⁴ strings in arrays, and arrays four deep. Where this is
// stricter than the specification: keys and tensors must be unique, tensors must
// not overlap, names have at most 64 bytes. Where it is laxer: text need not be
// valid UTF-8 (old vocabularies are not), and any bool byte but 0 is true.
//
// A file that is cut short while it is open makes reads fail with [ErrChanged]. A
// file that is overwritten in place is not noticed: replace files by rename.
package gguf
