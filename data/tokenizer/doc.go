// Package tokenizer turns text into token ids and back, exactly as the Rust
// library tokenizers 0.22 of Hugging Face does with the same tokenizer.json.
//
// [Open] reads a tokenizer.json or the folder that holds one, [Parse] its bytes,
// [FromGGUF] builds a [Tokenizer] from the vocabulary inside a GGUF file,
// [FromSentencePiece] from a SentencePiece model, and [TrainBPE] makes one of
// texts. A Tokenizer is safe for concurrent use.
//
// All models of tokenizer.json are read: BPE on bytes (GPT-2, Llama 3, Qwen,
// DeepSeek, gpt-oss, Phi, Falcon, RoBERTa, CLIP …) and with byte fallback (Llama 2,
// Mistral, Phi-3, Gemma …), Unigram (T5, XLM-R …), WordPiece (BERT …) and
// WordLevel, with all normalisers, pre-tokenizers, decoders and post-processors of
// version 0.22. What is not known is refused by name with an error that wraps
// [ErrUnsupported], and so is a model that lacks the token for unknown words,
// where the Rust library fails on the first such word. Nothing is ignored silently
// but truncation and padding, which are the caller's business here.
//
// # How text becomes ids
//
// Added tokens that are not normalised are cut out of the text first, the
// leftmost and there the longest. What lies between them is normalised, added
// tokens that are normalised are cut out of that, and the rest is split into
// words, which the model turns into ids. The post-processor then puts special
// tokens around the whole. Every family of these steps has a file of its own:
// normalize_*.go, pretokenize_*.go, bpe*.go, unigram.go, wordpiece.go, post.go,
// decode*.go.
//
// # Offsets
//
// [Tokenizer.AppendOffsets] gives byte ranges of the original text. As in the
// Rust library a token that covers a part of a character has the range of the
// whole character, and neighbours may share it; a composed character that
// normalisation made of several has the range of the first.
//
// # Caveats
//
// Split patterns of the known families are matched by hand-written scanners;
// any other pattern by github.com/dlclark/regexp2, whose dialect is close to
// Oniguruma's but not the same, with a limit on backtracking and on time. A
// pattern that passes the limit is given up; [Tokenizer.Err] then says so.
//
// These patterns see the Unicode version of Go's tables, everything else the
// versions that the Rust library sees, which are several (classtable.go,
// rangetable.go). Scores of Unigram are read with the rounding of serde_json, as
// ties between sums of them depend on it.
//
// Tokens of Unigram and WordPiece of more than 4096 bytes are refused.
//
// An added token that normalisation leaves nothing of is never found (the Rust
// library finds it everywhere). Decoding gives an added token as it is written in
// the file, as version 0.22 does; 0.23 gives its normalised form.
//
// Text that is not valid UTF-8 cannot reach the Rust library. Here a byte that
// is not part of a character is treated as a character of its own.
package tokenizer
