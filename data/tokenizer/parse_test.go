package tokenizer

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// doc is a tokenizer.json with a small vocabulary and further fields.
func doc(fields string) string {
	if fields != "" {
		fields += ","
	}
	return `{` + fields + `"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"Ġ":3},"merges":["a b"]}}`
}

func TestParseErrorsNameFileAndPlace(t *testing.T) {
	deep := strings.Repeat("[", 100) + strings.Repeat("]", 100)
	for in, want := range map[string]string{
		``:             "want '{', got the end",
		`[]`:           "want '{'",
		`{"model":{}}`: "model: vocab: got none",
		`{}`:           "model: got none",
		doc("") + "x":  "want the end, got 'x'",
		`{"model":{"vocab":{"a":-1},"merges":[]}}`:                                                   `model: vocab: "a": malformed JSON`,
		`{"model":{"vocab":{"a":99999999},"merges":[]}}`:                                             "want at most",
		`{"model":{"vocab":{"a":99999999999999999999},"merges":[]}}`:                                 "number at byte",
		`{"model":{"vocab":{"a":1,"b":1},"merges":[]}}`:                                              `id 1: got "a" and "b"`,
		`{"model":{"vocab":{"a":0,"b":1},"merges":["a b"]}}`:                                         `merges: [0]: "a" + "b": got "ab", want a token`,
		`{"model":{"vocab":{"a":0},"merges":["a x"]}}`:                                               `want two tokens`,
		`{"model":{"vocab":{"a":0},"merges":["a"]}}`:                                                 `with a space between`,
		`{"model":{"vocab":{"a":0},"merges":[["a"]]}}`:                                               `[0]: got 1 texts, want 2`,
		`{"model":{"vocab":{"a":0},"merges":[],"unk_token":"u"}}`:                                    `model: unk_token: got "u"`,
		`{"model":{"vocab":{"a":0},"merges":[],"dropout":0.1}}`:                                      `dropout`,
		`{"model":{"vocab":{"\ud800":0},"merges":[]}}`:                                               `half a surrogate pair`,
		`{"model":{"vocab":{"a` + "\n" + `":0},"merges":[]}}`:                                        `control character`,
		doc(`"version":"2.0"`):                                                                       `version`,
		doc(`"x":` + deep):                                                                           "more than 64 levels",
		doc(`"x":tru`):                                                                               "want a value",
		doc(`"normalizer":{"type":"Nmx"}`):                                                           `normalizer: not supported: type "Nmx"`,
		doc(`"normalizer":{"type":"Sequence","normalizers":[{"type":"Precompiled"}]}`):               `normalizer: normalizers[0]: precompiled_charsmap: got 0 bytes`,
		doc(`"normalizer":{"type":"Replace","pattern":{"Regex":"("},"content":""}`):                  `normalizer: pattern "(": error parsing`,
		doc(`"normalizer":{"type":"Replace","pattern":{},"content":""}`):                             `want a String or a Regex`,
		doc(`"normalizer":{}`):                                                                       `type: got none`,
		doc(`"pre_tokenizer":{"type":"Bert"}`):                                                       `pre_tokenizer: not supported: type "Bert"`,
		doc(`"pre_tokenizer":{"type":"Split","pattern":{"String":"a"},"behavior":"x"}`):              `behavior: not supported: "x"`,
		doc(`"pre_tokenizer":{"type":"Metaspace","replacement":"ab"}`):                               `want one character`,
		doc(`"pre_tokenizer":{"type":"Metaspace","replacement":"_","prepend_scheme":"maybe"}`):       `prepend_scheme`,
		doc(`"decoder":{"type":"Words"}`):                                                            `decoder: not supported: type "Words"`,
		doc(`"decoder":{"type":"Strip","content":" ","start":-1,"stop":0}`):                          `start, stop`,
		doc(`"post_processor":{"type":"TemplateProcessing","single":[]}`):                            `post_processor: single: got 0 times`,
		doc(`"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}}]}`): `not among special_tokens`,
		doc(`"post_processor":{"type":"RobertaProcessing","sep":["a",77],"cls":["a",0]}`):            `special token id 77`,
		doc(`"post_processor":{"type":"Sequence","processors":[{"type":"x"}]}`):                      `processors[0]: not supported`,
		doc(`"added_tokens":{}`):                                                                     `added_tokens`,
		`{"model":{"type":"Unigram","vocab":[]}}`:                                                    `unk_id: got none`,
		`{"model":{"type":"Unigram","vocab":{}}}`:                                                    `want a list for Unigram`,
		`{"model":{"type":"BPE","vocab":[]}}`:                                                        `want a list for Unigram`,
		`{"model":{"type":"BPE","vocab":{}}}`:                                                        `merges: got none`,
		`{"model":{"type":"Char","vocab":{}}}`:                                                       `type: not supported: "Char"`,
		`{"model":{"vocab":[["a",0.5]],"unk_id":1}}`:                                                 `unk_id: got 1, want 0 … 0`,
		`{"model":{"vocab":[["a"]],"unk_id":0}}`:                                                     `vocab: [0]: want a text and a score`,
		`{"model":{"vocab":[["a",1,2]],"unk_id":0}}`:                                                 `vocab: [0]: got more`,
		`{"model":{"vocab":[["a","b"]],"unk_id":0}}`:                                                 `vocab: [0]: number at byte`,
		`{"model":{"vocab":[["a",1e999]],"unk_id":0}}`:                                               `vocab: [0]: number at byte`,
		`{"model":{"vocab":{"a":0},"vocab":{"b":1}}}`:                                                `vocab: got two`,
		`{"model":{"unk_token":"[UNK]","vocab":{"a":0}}}`:                                            `unk_token: got "[UNK]"`,
		`{"model":{"vocab":{}}}`:                                                                     `type: got none`,
		`{"model":{"type":"WordPiece","vocab":{"[UNK]":0,"` + strings.Repeat("a", 5000) + `":1}}}`:   `over the limit: want tokens of at most 4096 bytes`,
		doc(`"pre_tokenizer":{"type":"FixedLength","length":0}`):                                     `length: got 0`,
		doc(`"decoder":{"type":"BPEDecoder","suffix":""}`):                                           `an empty text`,
		doc(`"decoder":{"type":"CTC","pad_token":"","word_delimiter_token":"|"}`):                    `an empty text`,
		doc(`"normalizer":{"type":"Precompiled","precompiled_charsmap":"//////////8="}`):             `an array of 4294967295 bytes`,
		doc(`"pre_tokenizer":{"type":"Sequence","pretokenizers":[` + strings.Repeat(`{"type":"WhitespaceSplit"},`, 70) + `null]}`):                            `at most 64`,
		doc(`"normalizer":{"type":"Sequence","normalizers":[` + strings.Repeat(`{"type":"Replace","pattern":{"String":"a"},"content":"aa"},`, 11) + `null]}`): `times as long`,
		doc(`"decoder":{"type":"Replace","pattern":{"Regex":"a"},"content":"` + strings.Repeat("a", 2000) + `"}`):                                             `times as long`,
		"\xff": "not valid UTF-8",
	} {
		_, err := Parse("some.json", []byte(in))
		if assert.Error(t, err, in) {
			assert.ErrorContains(t, err, "tokenizer: some.json: ", in)
			assert.ErrorContains(t, err, want, in)
		}
	}
}

func TestUnsupportedIsRecognised(t *testing.T) {
	_, err := Parse("x", []byte(`{"model":{"type":"Char","vocab":{}}}`))
	assert.ErrorIs(t, err, ErrUnsupported)
	_, err = FromGGUF(Vocabulary{Model: "bert", Tokens: []string{"a"}})
	assert.ErrorIs(t, err, ErrUnsupported)
	assert.ErrorContains(t, err, `"bert"`)
	_, err = FromGGUF(Vocabulary{Model: "gpt2", Pre: "kimi-k2", Tokens: []string{"a"}})
	assert.ErrorIs(t, err, ErrUnsupported)
	assert.ErrorContains(t, err, `"kimi-k2" (it has no merges)`)
}

func TestParseReadsOldAndNewForms(t *testing.T) {
	for _, model := range []string{
		`"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"abab":3},"merges":["a b","ab ab"]`,
		`"vocab":{"a":0,"b":1,"ab":2,"abab":3},"merges":["#version: 0.2","a b","ab ab"]`,
		`"merges":[["a","b"],["ab","ab"]],"vocab":{"a":0,"b":1,"ab":2,"abab":3},"type":"BPE"`,
		`"vocab":{"\u0061":0,"b":1,"\u0061b":2,"abab":3},"merges":[["\u0061","b"],["ab","ab"]],"dropout":null,"unk_token":null`,
	} {
		k, err := Parse("x", []byte(" {\"version\" : \"1.0\", \"model\":{"+model+"}}\n"))
		require.NoError(t, err, model)
		assert.Equal(t, []int32{2}, k.Encode("ab"), model)
		assert.Equal(t, []int32{3, 0}, k.Encode("ababa"), model)
		assert.Equal(t, "abab a", k.Decode([]int32{3, 0}, false), "without a decoder there are spaces")
	}
}

func TestGGUFErrors(t *testing.T) {
	good := func() Vocabulary {
		return Vocabulary{Model: "llama", Tokens: []string{"<unk>", "a", "b", "ab"}, Scores: []float32{0, 0, 0, 1}, Types: []int32{2, 1, 1, 1}}
	}
	k, err := FromGGUF(good())
	require.NoError(t, err)
	assert.Equal(t, []int32{0, 3}, k.Encode("ab"), "the space before the text is unknown")
	nan := float32(0)
	nan /= nan
	for want, change := range map[string]func(v *Vocabulary){
		"tokens: got 0":        func(v *Vocabulary) { v.Tokens = nil },
		"token_type: got 1":    func(v *Vocabulary) { v.Types = v.Types[:1] },
		"scores: got 3":        func(v *Vocabulary) { v.Scores = v.Scores[1:] },
		"scores[3]: got NaN":   func(v *Vocabulary) { v.Scores[3] = nan },
		"bos_token_id: got 4":  func(v *Vocabulary) { v.BOS = new(int32(4)) },
		"eos_token_id: got -1": func(v *Vocabulary) { v.EOS = new(int32(-1)) },
		"not valid UTF-8":      func(v *Vocabulary) { v.Tokens[1] = "\xff" },
		"too long":             func(v *Vocabulary) { v.Tokens[1] = strings.Repeat("a", 1<<16) },
		"merges[0]: got \"a\"": func(v *Vocabulary) { v.Model, v.Pre, v.Merges = "gpt2", "gpt-2", []string{"a"} },
		"merges[1]: \"b\"":     func(v *Vocabulary) { v.Model, v.Pre, v.Merges = "gpt2", "gpt-2", []string{"a b", "b a"} },
	} {
		v := good()
		change(&v)
		_, err := FromGGUF(v)
		assert.ErrorContains(t, err, want)
	}
}

func TestPatternsAreBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a time limit")
	}
	k, err := Parse("x", []byte(doc(`"pre_tokenizer":{"type":"Split","pattern":{"Regex":"(a+)+$|(a|a)*c"},"behavior":"Isolated","invert":false}`)))
	require.NoError(t, err)
	start := time.Now()
	ids := k.Encode(strings.Repeat("a", 40) + "b")
	assert.Len(t, ids, 40, "39 a and an ab: the pattern is left out")
	k.Encode(strings.Repeat("a", 40) + "b")
	assert.Less(t, time.Since(start), 10*matchTimeout, "given up once, not each time")
	assert.ErrorIs(t, k.Err(), ErrLimit)
	_, err = Parse("x", []byte(doc(fmt.Sprintf(`"pre_tokenizer":{"type":"Split","pattern":{"Regex":"%s"},"behavior":"Isolated"}`, strings.Repeat("a", maxPattern+1)))))
	assert.ErrorContains(t, err, "want at most")
}
