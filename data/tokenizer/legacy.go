package tokenizer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Names of the files of folders without a tokenizer.json.
const (
	fileVocab         = "vocab.json"
	fileMerges        = "merges.txt"
	fileSentencePiece = "tokenizer.model"
	fileAdded         = "added_tokens.json"
)

// legacyConfig is what tokenizer_config.json and special_tokens_map.json tell about
// a tokenizer that has no tokenizer.json.
type legacyConfig struct {
	Class          string                     `json:"tokenizer_class"`
	AddPrefixSpace bool                       `json:"add_prefix_space"`
	AddBOS         *bool                      `json:"add_bos_token"`
	AddEOS         *bool                      `json:"add_eos_token"`
	BOS            tokenName                  `json:"bos_token"`
	EOS            tokenName                  `json:"eos_token"`
	UNK            tokenName                  `json:"unk_token"`
	PAD            tokenName                  `json:"pad_token"`
	CLS            tokenName                  `json:"cls_token"`
	SEP            tokenName                  `json:"sep_token"`
	Mask           tokenName                  `json:"mask_token"`
	Additional     []tokenName                `json:"additional_special_tokens"`
	Added          map[string]json.RawMessage `json:"added_tokens_decoder"`
}

// openLegacy reads the files that came before tokenizer.json: vocab.json with
// merges.txt of byte-level BPE, or the SentencePiece file tokenizer.model. They do
// not tell how text is split; tokenizer_class does, and only classes that are known
// are read.
func openLegacy(dir string) (*Tokenizer, error) {
	var config legacyConfig
	for _, name := range []string{fileSpecial, fileConfig} {
		raw, err := readIfThere(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		if raw != nil {
			if err := json.Unmarshal(raw, &config); err != nil {
				return nil, fmt.Errorf("%s: %w", filepath.Join(dir, name), err)
			}
		}
	}
	vocab, err := readIfThere(filepath.Join(dir, fileVocab))
	if err != nil {
		return nil, err
	}
	if vocab != nil {
		return openVocabMerges(dir, vocab, config)
	}
	pieces, err := readIfThere(filepath.Join(dir, fileSentencePiece))
	if err != nil || pieces == nil {
		return nil, err
	}
	o, err := config.sentencePiece()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, fileSentencePiece), err)
	}
	return FromSentencePiece(filepath.Join(dir, fileSentencePiece), pieces, o)
}

// sentencePiece says what a class puts around a text.
func (c legacyConfig) sentencePiece() (SentencePieceOptions, error) {
	value := func(set *bool, byDefault bool) bool {
		if set == nil {
			return byDefault
		}
		return *set
	}
	switch strings.TrimSuffix(c.Class, "Fast") {
	case "LlamaTokenizer", "GemmaTokenizer":
		return SentencePieceOptions{AddBOS: value(c.AddBOS, true), AddEOS: value(c.AddEOS, false)}, nil
	case "T5Tokenizer":
		return SentencePieceOptions{AddEOS: true}, nil
	}
	return SentencePieceOptions{}, fmt.Errorf("%w: tokenizer_class %q without a tokenizer.json, want LlamaTokenizer, GemmaTokenizer or T5Tokenizer (or use FromSentencePiece)", ErrUnsupported, c.Class)
}

// openVocabMerges writes the tokenizer.json that transformers would convert the
// files to, and reads that.
func openVocabMerges(dir string, vocab []byte, c legacyConfig) (*Tokenizer, error) {
	path := filepath.Join(dir, fileMerges)
	raw, err := read(path, maxDocument)
	if err != nil {
		return nil, err
	}
	merges, err := readMerges(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var ids map[string]int
	if err := json.Unmarshal(vocab, &ids); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, fileVocab), err)
	}
	doc, err := c.document(ids)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	if doc["added_tokens"], err = c.addedTokens(dir, ids); err != nil {
		return nil, err
	}
	doc["version"] = "1.0"
	doc["model"] = map[string]any{"type": "BPE", "vocab": json.RawMessage(vocab), "merges": merges}
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	return parse(dir, text)
}

// readMerges reads the lines of merges.txt, each two parts; a first line may tell
// the version.
func readMerges(raw []byte) ([][2]string, error) {
	var merges [][2]string
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if line == "" || n == 1 && strings.HasPrefix(line, "#version") {
			continue
		}
		parts := strings.Split(line, " ")
		if len(parts) != 2 {
			return nil, fmt.Errorf("line %d: got %d parts, want two with a space between them", n, len(parts))
		}
		if merges = append(merges, [2]string(parts)); len(merges) > maxMerges {
			return nil, fmt.Errorf("%w: more than %d merges", ErrLimit, maxMerges)
		}
	}
	return merges, lines.Err()
}

// qwenPattern splits text as Qwen 2 and 3 do.
const qwenPattern = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`

// object is a JSON object.
type object = map[string]any

// document is what the class prescribes beside the vocabulary.
func (c legacyConfig) document(ids map[string]int) (object, error) {
	bytesOnly := object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false}
	words := object{"type": "ByteLevel", "add_prefix_space": c.AddPrefixSpace, "trim_offsets": true, "use_regex": true}
	doc := object{"decoder": object{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}}
	switch class := strings.TrimSuffix(c.Class, "Fast"); class {
	case "GPT2Tokenizer":
		doc["pre_tokenizer"] = words
		doc["post_processor"] = object{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true}
		if c.AddBOS != nil && *c.AddBOS {
			return nil, fmt.Errorf("%w: tokenizer_class GPT2Tokenizer with add_bos_token and without a tokenizer.json", ErrUnsupported)
		}
	case "Qwen2Tokenizer":
		doc["normalizer"] = object{"type": "NFC"}
		doc["pre_tokenizer"] = object{"type": "Sequence", "pretokenizers": []object{
			{"type": "Split", "pattern": object{"Regex": qwenPattern}, "behavior": "Isolated", "invert": false}, bytesOnly,
		}}
		doc["post_processor"], doc["decoder"] = bytesOnly, bytesOnly
	case "RobertaTokenizer":
		doc["pre_tokenizer"] = words
		sep, cls := string(c.SEP), string(c.CLS)
		idSep, okSep := ids[sep]
		idCLS, okCLS := ids[cls]
		if !okSep || !okCLS {
			return nil, fmt.Errorf("tokenizer_config.json: got sep_token %q and cls_token %q, want tokens of the vocabulary", sep, cls)
		}
		doc["post_processor"] = object{"type": "RobertaProcessing", "sep": []any{sep, idSep}, "cls": []any{cls, idCLS}, "trim_offsets": true, "add_prefix_space": c.AddPrefixSpace}
	default:
		return nil, fmt.Errorf("%w: tokenizer_class %q with vocab.json and merges.txt but without a tokenizer.json, want GPT2Tokenizer, Qwen2Tokenizer or RobertaTokenizer", ErrUnsupported, c.Class)
	}
	return doc, nil
}

// addedTokens lists the tokens that are found in the text as they are: those of
// added_tokens_decoder, else of added_tokens.json and the special tokens by name.
func (c legacyConfig) addedTokens(dir string, ids map[string]int) ([]object, error) {
	var list []object
	for key, raw := range c.Added {
		id, err := strconv.Atoi(key)
		var o object
		if err = errors.Join(err, json.Unmarshal(raw, &o)); err != nil {
			return nil, fmt.Errorf("%s: added_tokens_decoder: %.20q: %w", filepath.Join(dir, fileConfig), key, err)
		}
		delete(o, "__type")
		o["id"] = id
		list = append(list, o)
	}
	if list == nil {
		if err := c.namedTokens(dir, ids, &list); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(list, func(a, b object) int { return a["id"].(int) - b["id"].(int) })
	return list, nil
}

// namedTokens is for folders older than added_tokens_decoder.
func (c legacyConfig) namedTokens(dir string, ids map[string]int, list *[]object) error {
	path := filepath.Join(dir, fileAdded)
	raw, err := readIfThere(path)
	if err != nil {
		return err
	}
	added := map[string]int{}
	if raw != nil {
		if err := json.Unmarshal(raw, &added); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	special := map[string]bool{}
	for _, name := range append([]tokenName{c.BOS, c.EOS, c.UNK, c.PAD, c.CLS, c.SEP, c.Mask}, c.Additional...) {
		special[string(name)] = name != ""
		if id, ok := ids[string(name)]; ok && name != "" {
			added[string(name)] = id
		}
	}
	for text, id := range added {
		*list = append(*list, object{"id": id, "content": text, "special": special[text], "normalized": !special[text],
			"single_word": false, "lstrip": special[text] && text == string(c.Mask), "rstrip": false})
	}
	return nil
}
