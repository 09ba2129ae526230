package main

import (
	"encoding/json"
	"fmt"
)

// Special tokens; the first id after the 256 bytes is 256.
const (
	bos = "<|bos|>"
	eos = "<|eos|>"
	pad = "<|pad|>"
)

var special = []string{bos, eos, pad, "<|im_start|>", "<|im_end|>"}

// tokenizerConfig is tokenizer_config.json.
const tokenizerConfig = `{
  "bos_token": "<|bos|>",
  "eos_token": "<|eos|>",
  "pad_token": "<|pad|>",
  "model_max_length": 1024,
  "tokenizer_class": "PreTrainedTokenizerFast"
}
`

// tokenizerJSON is a byte-level vocabulary without merges: each byte is a token.
// Bytes are spelled as in GPT-2: printable ones by themselves, the others by the
// code points from 256 on.
func tokenizerJSON() []byte {
	vocab := map[string]int{}
	next := 256
	for b := range 256 {
		printable := b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae
		r := rune(b)
		if !printable {
			r = rune(next)
			next++
		}
		vocab[string(r)] = b
	}
	type object = map[string]any
	var added []object
	for i, s := range special {
		vocab[s] = 256 + i
		added = append(added, object{"id": 256 + i, "content": s, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true})
	}
	raw, err := json.MarshalIndent(object{
		"version": "1.0", "truncation": nil, "padding": nil, "added_tokens": added, "normalizer": nil,
		"pre_tokenizer": object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false},
		"post_processor": object{"type": "TemplateProcessing",
			"single":         []object{{"SpecialToken": object{"id": bos, "type_id": 0}}, {"Sequence": object{"id": "A", "type_id": 0}}},
			"pair":           []object{{"SpecialToken": object{"id": bos, "type_id": 0}}, {"Sequence": object{"id": "A", "type_id": 0}}, {"Sequence": object{"id": "B", "type_id": 1}}},
			"special_tokens": object{bos: object{"id": bos, "ids": []int{256}, "tokens": []string{bos}}}},
		"decoder": object{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
		"model": object{"type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil, "end_of_word_suffix": nil,
			"fuse_unk": false, "byte_fallback": false, "ignore_merges": false, "vocab": vocab, "merges": []string{}},
	}, "", " ")
	if err != nil {
		panic(fmt.Sprintf("recipe: a literal does not encode: %v", err))
	}
	return append(raw, '\n')
}
