package auto

import (
	"errors"
	"fmt"
	"math"

	"github.com/posttrain/posttrain/data/tokenizer"
	"github.com/posttrain/posttrain/tensor/gguf"
)

// ggufTokenizer builds the tokenizer inside a GGUF file.
func ggufTokenizer(f *gguf.File) (*tokenizer.Tokenizer, error) {
	m := ggufMetadata{f: f}
	v := tokenizer.Vocabulary{
		Model: m.text("tokenizer.ggml.model"), Pre: m.text("tokenizer.ggml.pre"), ChatTemplate: m.text("tokenizer.chat_template"),
		Tokens: m.texts("tokenizer.ggml.tokens"), Merges: m.texts("tokenizer.ggml.merges"),
		Scores: m.scores("tokenizer.ggml.scores"), Types: m.kinds("tokenizer.ggml.token_type"),
		BOS: m.id("bos_token_id"), EOS: m.id("eos_token_id"), UNK: m.id("unknown_token_id"), PAD: m.id("padding_token_id"),
		AddBOS: m.flag("add_bos_token"), AddEOS: m.flag("add_eos_token"), AddSpacePrefix: m.flag("add_space_prefix"),
		RemoveExtraSpaces: m.flag("remove_extra_whitespaces"), Charsmap: m.bytes("tokenizer.ggml.precompiled_charsmap"),
	}
	if err := errors.Join(m.errs...); err != nil {
		return nil, err
	}
	if v.Model == "" {
		return nil, errors.New("the file has no tokenizer.ggml.model (to open a model without its tokenizer, set Options.NoTokenizer)")
	}
	return tokenizer.FromGGUF(v)
}

// ggufMetadata reads optional keys and collects what is wrong with them.
type ggufMetadata struct {
	f    *gguf.File
	errs []error
}

// optional reads a key that may be absent.
func optional[T any](m *ggufMetadata, key string, read func(string) (T, error)) (v T, ok bool) {
	if !m.f.Has(key) {
		return v, false
	}
	v, err := read(key)
	if err != nil {
		m.errs = append(m.errs, err)
		return v, false
	}
	return v, true
}

func (m *ggufMetadata) text(key string) string {
	s, _ := optional(m, key, m.f.String)
	return s
}

func (m *ggufMetadata) texts(key string) []string {
	s, _ := optional(m, key, m.f.Strings)
	return s
}

func (m *ggufMetadata) scores(key string) []float32 {
	wide, ok := optional(m, key, m.f.Floats)
	if !ok {
		return nil
	}
	scores := make([]float32, len(wide))
	for i, x := range wide {
		scores[i] = float32(x)
	}
	return scores
}

func (m *ggufMetadata) kinds(key string) []int32 {
	wide, ok := optional(m, key, m.f.Ints)
	if !ok {
		return nil
	}
	kinds := make([]int32, len(wide))
	for i, x := range wide {
		if x != int64(int32(x)) {
			m.errs = append(m.errs, fmt.Errorf("%s: %s[%d] is %d, want a token type", m.f.Name(), key, i, x))
			return nil
		}
		kinds[i] = int32(x)
	}
	return kinds
}

// bytes is an array of 8-bit numbers, whichever way they are signed.
func (m *ggufMetadata) bytes(key string) []byte {
	wide, ok := optional(m, key, m.f.Ints)
	if !ok {
		return nil
	}
	raw := make([]byte, len(wide))
	for i, x := range wide {
		if x < math.MinInt8 || x > math.MaxUint8 {
			m.errs = append(m.errs, fmt.Errorf("%s: %s[%d] is %d, want a byte", m.f.Name(), key, i, x))
			return nil
		}
		raw[i] = byte(x)
	}
	return raw
}

// id is the id of a special token; −1, also as uint32, stands for none.
func (m *ggufMetadata) id(key string) *int32 {
	key = "tokenizer.ggml." + key
	v, ok := optional(m, key, m.f.Int)
	switch {
	case !ok || v == -1 || v == math.MaxUint32:
		return nil
	case v < 0 || v > math.MaxInt32:
		m.errs = append(m.errs, fmt.Errorf("%s: %s is %d, want a token id", m.f.Name(), key, v))
		return nil
	}
	id := int32(v)
	return &id
}

func (m *ggufMetadata) flag(key string) *bool {
	if v, ok := optional(m, "tokenizer.ggml."+key, m.f.Bool); ok {
		return &v
	}
	return nil
}
