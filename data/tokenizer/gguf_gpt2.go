package tokenizer

import (
	"bytes"
	"fmt"
)

// wordSplit is a pre-tokenizer of GGUF files.
type wordSplit struct {
	steps        []any // what comes before ByteLevel
	regex        bool  // ByteLevel splits with GPT-2's pattern
	nfc          bool
	ignoreMerges bool
	addBOS       bool // where the file does not say
}

func isolate(pattern string) any {
	return map[string]any{"type": "Split", "pattern": map[string]string{"Regex": pattern}, "behavior": "Isolated", "invert": false}
}

var singleDigit = map[string]any{"type": "Digits", "individual_digits": true}

// preTokenizers are those that are known, by their name in tokenizer.ggml.pre,
// which stands for the checkpoint they were first seen in. The steps are those of
// the tokenizer.json of the family; "default" is llama.cpp's own list.
var preTokenizers = map[string]wordSplit{
	"":        defaultSplit,
	"default": defaultSplit,

	"gpt-2":  {regex: true},
	"phi-2":  {regex: true},
	"mellum": {regex: true},

	"smollm":    {steps: []any{singleDigit}, regex: true},
	"starcoder": {steps: []any{singleDigit}, regex: true},
	"refact":    {steps: []any{singleDigit}, regex: true},

	"llama3":    llama3Split,
	"llama-v3":  llama3Split,
	"llama-bpe": llama3Split,
	"falcon3":   llama3Split,

	"qwen2":            {steps: []any{isolate(patternQwen)}, nfc: true},
	"deepseek-r1-qwen": {steps: []any{isolate(patternQwen)}, nfc: true},

	"gpt-4o": {steps: []any{isolate(patternO200k)}, ignoreMerges: true},
	"llama4": {steps: []any{isolate(patternO200k)}, ignoreMerges: true},
	"tekken": {steps: []any{isolate(patternTekken)}, ignoreMerges: true, addBOS: true},

	"deepseek-v3": {steps: []any{isolate(patternDeepSeekNumbers), isolate(patternDeepSeekCJK), isolate(patternDeepSeekWords)}},
	"deepseek-coder": {steps: []any{
		isolate("[\r\n]"), isolate(`\s?\p{L}+`), isolate(`\s?\p{P}+`), isolate("[一-龥ࠀ-一가-퟿]+"), singleDigit,
	}},
}

var llama3Split = wordSplit{steps: []any{isolate(patternLlama3)}, ignoreMerges: true, addBOS: true}

var defaultSplit = wordSplit{steps: []any{
	isolate(`[\p{P}\$\+<=>\^~\|]+`),
	isolate(`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)`),
	isolate(`\p{N}+`),
	isolate(`[0-9][0-9][0-9]`),
}}

// byteLevel describes a gpt2 model.
func (v *Vocabulary) byteLevel(words *vocab, doc *written) (model, error) {
	type j = map[string]any
	pre, ok := preTokenizers[v.Pre]
	if !ok {
		return nil, fmt.Errorf("tokenizer.ggml.pre: %w: %.40q", ErrUnsupported, v.Pre)
	}
	level := j{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": pre.regex}
	doc.PreTokenizer = level
	if len(pre.steps) > 0 {
		doc.PreTokenizer = j{"type": "Sequence", "pretokenizers": append(append([]any{}, pre.steps...), level)}
	}
	if pre.nfc {
		doc.Normalizer = j{"type": "NFC"}
	}
	doc.Decoder = j{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}
	m := &bpe{vocab: words, unk: -1, ignoreMerges: pre.ignoreMerges, merges: newMerges(len(v.Merges))}
	var buf []byte
	for i, line := range v.Merges {
		left, right, ok := bytes.Cut(view(line), []byte(" "))
		if !ok || bytes.IndexByte(right, ' ') >= 0 {
			return nil, fmt.Errorf("tokenizer.ggml.merges[%d]: got %.60q, want two tokens with a space between", i, line)
		}
		var err error
		if buf, err = m.join(left, right, i, buf); err != nil {
			return nil, fmt.Errorf("tokenizer.ggml.merges[%d]: %w", i, err)
		}
	}
	return m, nil
}
