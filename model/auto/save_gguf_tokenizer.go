package auto

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/posttrain/posttrain/data/tokenizer"
	"github.com/posttrain/posttrain/tensor/gguf"
)

// Token types of GGUF.
const (
	tokenNormal      = 1
	tokenUnknown     = 2
	tokenControl     = 3
	tokenUserDefined = 4
	tokenUnused      = 5
	tokenByte        = 6
)

// storedWords are the parts of tokenizer.json that go into a GGUF file.
type storedWords struct {
	Added []struct {
		ID      int32  `json:"id"`
		Content string `json:"content"`
		Special bool   `json:"special"`
	} `json:"added_tokens"`
	Model struct {
		Type         string            `json:"type"`
		Vocab        json.RawMessage   `json:"vocab"`
		Merges       []json.RawMessage `json:"merges"`
		ByteFallback bool              `json:"byte_fallback"`
		Unk          *string           `json:"unk_token"`
	} `json:"model"`
}

// tokenizer describes the tokenizer: the kind of llama.cpp that gives the same
// ids on texts of many sorts.
func (g *ggufWriter) tokenizer() ([]gguf.Pair, error) {
	v, err := g.vocabulary()
	if err != nil {
		return nil, err
	}
	if err := g.choose(v); err != nil {
		return nil, err
	}
	meta := []gguf.Pair{
		{Key: "tokenizer.ggml.model", Value: v.Model}, {Key: "tokenizer.ggml.pre", Value: v.Pre},
		{Key: "tokenizer.ggml.tokens", Value: v.Tokens}, {Key: "tokenizer.ggml.token_type", Value: v.Types},
	}
	if v.Model == "llama" {
		meta = append(meta, gguf.Pair{Key: "tokenizer.ggml.scores", Value: v.Scores}, gguf.Pair{Key: "tokenizer.ggml.add_space_prefix", Value: *v.AddSpacePrefix})
	} else {
		meta = append(meta, gguf.Pair{Key: "tokenizer.ggml.merges", Value: v.Merges})
	}
	meta = append(meta, gguf.Pair{Key: "tokenizer.ggml.add_bos_token", Value: *v.AddBOS}, gguf.Pair{Key: "tokenizer.ggml.add_eos_token", Value: *v.AddEOS})
	for _, id := range []struct {
		key string
		id  *int32
	}{{"bos", v.BOS}, {"eos", v.EOS}, {"unknown", v.UNK}, {"padding", v.PAD}} {
		if id.id != nil {
			meta = append(meta, gguf.Pair{Key: "tokenizer.ggml." + id.key + "_token_id", Value: uint32(*id.id)})
		}
	}
	// What else ends a text: the end of a turn, the end of a message.
	keys := []string{"eot", "eom"}
	for _, id := range g.c.Model.Config().EOS {
		if (v.EOS == nil || id != *v.EOS) && len(keys) > 0 {
			meta = append(meta, gguf.Pair{Key: "tokenizer.ggml." + keys[0] + "_token_id", Value: uint32(id)})
			keys = keys[1:]
		}
	}
	if g.c.Template != "" {
		meta = append(meta, gguf.Pair{Key: "tokenizer.chat_template", Value: g.c.Template})
	}
	return meta, nil
}

// vocabulary lists tokens, types, scores and merges.
func (g *ggufWriter) vocabulary() (*tokenizer.Vocabulary, error) {
	var b bytes.Buffer
	if err := g.c.Tokenizer.WriteJSON(&b); err != nil {
		return nil, err
	}
	var doc storedWords
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		return nil, err
	}
	if doc.Model.Type != "BPE" {
		return nil, fmt.Errorf("%w: a %s tokenizer in a GGUF file, want BPE", ErrUnsupported, doc.Model.Type)
	}
	var ids map[string]int32
	if err := json.Unmarshal(doc.Model.Vocab, &ids); err != nil {
		return nil, err
	}
	rows := g.c.Model.Config().VocabSize
	v := &tokenizer.Vocabulary{Model: "gpt2", Tokens: make([]string, rows), Types: make([]int32, rows)}
	put := func(id int32, text string, kind int32) error {
		if id < 0 || int(id) >= rows {
			return fmt.Errorf("%w: the token %q has id %d, want one of the %d rows of the embedding", ErrUnsupported, text, id, rows)
		}
		v.Tokens[id], v.Types[id] = text, kind
		return nil
	}
	for text, id := range ids {
		kind := int32(tokenNormal)
		if doc.Model.ByteFallback && len(text) == 6 && text[:3] == "<0x" && text[5] == '>' {
			kind = tokenByte
		}
		if err := put(id, text, kind); err != nil {
			return nil, err
		}
	}
	for _, a := range doc.Added {
		kind := int32(tokenUserDefined)
		if a.Special {
			kind = tokenControl
		}
		if doc.Model.ByteFallback && doc.Model.Unk != nil && a.Content == *doc.Model.Unk {
			kind = tokenUnknown
		}
		if err := put(a.ID, a.Content, kind); err != nil {
			return nil, err
		}
	}
	for id, kind := range v.Types {
		if kind == 0 { // a row that no token has
			v.Tokens[id], v.Types[id] = fmt.Sprintf("[PAD%d]", id), tokenUnused
		}
	}
	if err := addMerges(v, doc.Model.Merges); err != nil {
		return nil, err
	}
	if doc.Model.ByteFallback {
		v.Model, v.Scores = "llama", scores(v, ids)
		v.Merges = nil
	}
	g.roles(v)
	return v, nil
}

// addMerges writes merges as "left right", which tokenizer.json may also have as
// pairs.
func addMerges(v *tokenizer.Vocabulary, merges []json.RawMessage) error {
	for _, raw := range merges {
		var text string
		if raw[0] != '"' {
			var two [2]string
			if err := json.Unmarshal(raw, &two); err != nil {
				return err
			}
			text = two[0] + " " + two[1]
		} else if err := json.Unmarshal(raw, &text); err != nil {
			return err
		}
		v.Merges = append(v.Merges, text)
	}
	return nil
}

// scores orders tokens as their first merges are: llama.cpp merges what has the
// highest score. Tokens that nothing merges to come last.
func scores(v *tokenizer.Vocabulary, ids map[string]int32) []float32 {
	list := make([]float32, len(v.Tokens))
	for id, kind := range v.Types {
		if kind == tokenNormal {
			list[id] = -float32(len(v.Merges))
		}
	}
	for rank, m := range slices.Backward(v.Merges) {
		left, right, _ := bytes.Cut([]byte(m), []byte(" "))
		if id, ok := ids[string(left)+string(right)]; ok {
			list[id] = -float32(rank)
		}
	}
	return list
}

// roles finds the special tokens and whether they are put around a text.
func (g *ggufWriter) roles(v *tokenizer.Vocabulary) {
	t := g.c.Tokenizer
	for _, role := range []struct {
		get func() (int32, string, bool)
		to  **int32
	}{{t.BOS, &v.BOS}, {t.EOS, &v.EOS}, {t.UNK, &v.UNK}, {t.PAD, &v.PAD}} {
		if id, _, ok := role.get(); ok {
			*role.to = &id
		}
	}
	if ends := g.c.Model.Config().EOS; len(ends) > 0 && (v.EOS == nil || !slices.Contains(ends, *v.EOS)) {
		v.EOS = &ends[0]
	}
	ids := t.Encode("a")
	bos := len(ids) > 0 && v.BOS != nil && ids[0] == *v.BOS
	eos := len(ids) > 0 && v.EOS != nil && ids[len(ids)-1] == *v.EOS
	v.AddBOS, v.AddEOS = &bos, &eos
}

// probes are texts on which tokenizers differ.
var probes = []string{
	"Hello, world! It's 12345 + 678.90 = $13,023.90 (don't we'LL I'M)", "  two  spaces\n\n\nand\tlines \r\n end  ", "x=1;\ty[23]=\"z\"//\n{}",
	"Zürich über naïve e\u0301a\u030a ﬁ Ǆ ĳ", "日本語のテキストと中文，한국어", "العربية हिन्दी ไทย עברית", "😀👍🏽 👩‍👩‍👧 €¥₿", "1 22 333 4444 55555 ½ ², ٣٤٥",
	"CamelCaseHTTPServer snake_case_name kebab-case", "", " ", "a", " a", "\u00a0nbsp\u2003em\u200bzero", "a\x00b\x7f", "!!!???... --- '''s 'S 're'VE", "<s></s><unk>▁x<0x41>",
}

// splits are the names of pre-tokenizers to try, those of the family first.
func (g *ggufWriter) splits() []string {
	list := []string{"gpt-2", "smollm", "qwen2", "llama-bpe", "gpt-4o", "tekken", "deepseek-v3", "deepseek-coder", "default"}
	first := map[string]string{"llama": "llama-bpe", "qwen2": "qwen2", "qwen3": "qwen2"}[g.layout.Architecture]
	return append([]string{first}, list...)
}

// choose finds what splits text as the tokenizer does.
func (g *ggufWriter) choose(v *tokenizer.Vocabulary) error {
	yes, no := true, false
	var failed error
	try := func() bool {
		t, err := tokenizer.FromGGUF(*v)
		if err == nil {
			err = sameIDs(g.c.Tokenizer, t)
		}
		if failed == nil {
			failed = err
		}
		return err == nil
	}
	if v.Model == "llama" {
		v.Pre = "default"
		for _, v.AddSpacePrefix = range []*bool{&yes, &no} {
			if try() {
				return nil
			}
		}
	} else {
		for _, v.Pre = range g.splits() {
			if v.Pre != "" && try() {
				return nil
			}
		}
	}
	return fmt.Errorf("%w: the tokenizer cannot be told in a GGUF file: %w", ErrUnsupported, failed)
}

// sameIDs compares two tokenizers on the probes.
func sameIDs(want, got *tokenizer.Tokenizer) error {
	for _, text := range probes {
		for _, special := range []bool{false, true} {
			a, b := want.AppendIDs(nil, text, special), got.AppendIDs(nil, text, special)
			if !slices.Equal(a, b) {
				return fmt.Errorf("ids of %q: got %v, want %v", text, b, a)
			}
		}
	}
	return nil
}
