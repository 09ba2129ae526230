package tokenizer

import (
	"fmt"
	"unicode/utf8"
)

// Vocabulary is the tokenizer inside a GGUF file, as plain values: the keys
// tokenizer.ggml.* of its metadata. nil pointers stand for absent keys.
type Vocabulary struct {
	Model  string    // tokenizer.ggml.model: "llama" (SentencePiece BPE), "t5" (SentencePiece Unigram) or "gpt2" (byte-level BPE)
	Pre    string    // tokenizer.ggml.pre, for gpt2: how text is split into words
	Tokens []string  // tokenizer.ggml.tokens, by id
	Scores []float32 // tokenizer.ggml.scores, for llama: higher ones merge first; for t5: log probabilities
	Types  []int32   // tokenizer.ggml.token_type; empty: all normal
	Merges []string  // tokenizer.ggml.merges, for gpt2

	BOS, EOS, UNK, PAD *int32 // tokenizer.ggml.{bos,eos,unknown,padding}_token_id
	AddBOS, AddEOS     *bool  // tokenizer.ggml.add_{bos,eos}_token; absent: see FromGGUF
	AddSpacePrefix     *bool  // tokenizer.ggml.add_space_prefix, for llama and t5; absent: true
	RemoveExtraSpaces  *bool  // tokenizer.ggml.remove_extra_whitespaces, for llama and t5; absent: false
	Charsmap           []byte // tokenizer.ggml.precompiled_charsmap, for llama and t5: rules of normalisation
	ChatTemplate       string // tokenizer.chat_template
}

// Token types of GGUF.
const (
	typeNormal      = 1
	typeUnknown     = 2
	typeControl     = 3
	typeUserDefined = 4
)

// FromGGUF builds the tokenizer of a GGUF file. It gives the ids of the
// tokenizer.json that the file was converted from:
//
//   - The merges of a llama model follow from the scores: every split of a token
//     into two tokens merges, tokens of higher score first; among the splits of
//     one token the one with the longer left side comes first. llama.cpp takes
//     the leftmost instead; the ids are the same but for contrived text.
//   - Unicode normalisation, which llama.cpp leaves out, is that of the family
//     (NFC for qwen2).
//   - Control and unknown tokens are special, user-defined ones are added tokens.
//     All are recognised in the text.
//
// Absent AddBOS means true for llama models and for the pre-tokenizers llama-bpe,
// tekken and chameleon, as in llama.cpp; absent AddEOS means false.
//
// A t5 model adds EOS by default, as in llama.cpp.
//
// Of the pre-tokenizers of llama.cpp those whose words are no bytes (gemma4,
// whitespace, …), those of encoders with separators (roberta-bpe, …), kimi-k2 and
// afmoe are refused by name, with the reason; so are names that are not known and
// other models (bert, rwkv, …).
func FromGGUF(v Vocabulary) (*Tokenizer, error) {
	t, err := fromGGUF(&v)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: GGUF vocabulary: %w", err)
	}
	return t, nil
}

func fromGGUF(v *Vocabulary) (*Tokenizer, error) {
	if err := v.check(); err != nil {
		return nil, err
	}
	words := newVocab(nil)
	for id, text := range v.Tokens {
		if err := words.add(view(text), false, id); err != nil {
			return nil, err
		}
	}
	doc := written{}
	var m model
	var err error
	switch v.Model {
	case "llama":
		m, err = v.sentencePiece(words, &doc)
	case "t5":
		m, err = v.unigram(words, &doc)
	case "gpt2":
		m, err = v.byteLevel(words, &doc)
	default:
		err = fmt.Errorf("tokenizer.ggml.model: %w: %.40q", ErrUnsupported, v.Model)
	}
	if err != nil {
		return nil, err
	}
	if doc.added, err = v.addedTokens(words); err != nil {
		return nil, err
	}
	doc.PostProcessor = v.postProcessor()
	t, err := doc.assemble(m)
	if err != nil {
		return nil, err
	}
	t.names = special{v.name(v.BOS), v.name(v.EOS), v.name(v.PAD), v.name(v.UNK)}
	t.template = v.ChatTemplate
	return t, nil
}

// check reports what does not fit together.
func (v *Vocabulary) check() error {
	n := len(v.Tokens)
	switch {
	case n == 0 || n > maxID:
		return fmt.Errorf("tokenizer.ggml.tokens: got %d, want 1 … %d", n, maxID)
	case len(v.Types) != 0 && len(v.Types) != n:
		return fmt.Errorf("tokenizer.ggml.token_type: got %d, want %d, one a token", len(v.Types), n)
	case v.Model != "gpt2" && len(v.Scores) != n && (v.Model == "llama" || v.Model == "t5"):
		return fmt.Errorf("tokenizer.ggml.scores: got %d, want %d, one a token", len(v.Scores), n)
	case len(v.Merges) > maxMerges:
		return fmt.Errorf("tokenizer.ggml.merges: %w: got %d, want at most %d", ErrLimit, len(v.Merges), maxMerges)
	}
	total := 0
	for id, text := range v.Tokens {
		if !utf8.ValidString(text) {
			return fmt.Errorf("tokenizer.ggml.tokens[%d]: %.40q is not valid UTF-8", id, text)
		}
		total += len(text)
	}
	if total > maxDocument {
		return fmt.Errorf("tokenizer.ggml.tokens: %w: got %d bytes, want at most %d", ErrLimit, total, maxDocument)
	}
	for _, role := range []struct {
		key string
		id  *int32
	}{{"bos", v.BOS}, {"eos", v.EOS}, {"unknown", v.UNK}, {"padding", v.PAD}} {
		if role.id != nil && (*role.id < 0 || int(*role.id) >= n) {
			return fmt.Errorf("tokenizer.ggml.%s_token_id: got %d, want 0 … %d", role.key, *role.id, n-1)
		}
	}
	return nil
}

func (v *Vocabulary) kind(id int) int32 {
	if len(v.Types) == 0 {
		return typeNormal
	}
	return v.Types[id]
}

func (v *Vocabulary) name(id *int32) string {
	if id == nil {
		return ""
	}
	return v.Tokens[*id]
}

// addedTokens are the tokens that are recognised in the text.
func (v *Vocabulary) addedTokens(vocab *vocab) ([]addedToken, error) {
	list := []addedToken{} // a list in JSON, even if empty
	for id, text := range v.Tokens {
		kind := v.kind(id)
		added := kind == typeControl || kind == typeUnknown || kind == typeUserDefined
		if !added || text == "" || vocab.id(view(text)) != int32(id) {
			continue
		}
		list = append(list, addedToken{ID: id, Content: text, Special: kind != typeUserDefined})
	}
	if len(list) > maxAdded {
		return nil, fmt.Errorf("tokenizer.ggml.token_type: got %d added tokens, want at most %d", len(list), maxAdded)
	}
	return list, nil
}

// postProcessor puts the beginning and the end of a text around it.
func (v *Vocabulary) postProcessor() any {
	bos, eos := v.AddBOS != nil && *v.AddBOS, v.AddEOS != nil && *v.AddEOS
	if v.AddBOS == nil {
		bos = v.Model == "llama" || preTokenizers[v.Pre].addBOS
	}
	if v.AddEOS == nil {
		eos = v.Model == "t5"
	}
	type m = map[string]any
	tokens := m{}
	item := func(id *int32, kind int) any {
		name := v.name(id)
		tokens[name] = m{"id": name, "ids": []int32{*id}, "tokens": []string{name}}
		return m{"SpecialToken": m{"id": name, "type_id": kind}}
	}
	side := func(text string, kind int) (items []any) {
		if bos && v.BOS != nil {
			items = append(items, item(v.BOS, kind))
		}
		items = append(items, m{"Sequence": m{"id": text, "type_id": kind}})
		if eos && v.EOS != nil {
			items = append(items, item(v.EOS, kind))
		}
		return items
	}
	single := side("A", 0)
	if len(tokens) == 0 {
		return nil
	}
	return m{
		"type": "TemplateProcessing", "single": single,
		"pair": append(side("A", 0), side("B", 1)...), "special_tokens": tokens,
	}
}
