package tokenizer

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// check encodes and decodes a text and looks for what never holds.
func check(t *testing.T, k *Tokenizer, text string) {
	ids, offsets := k.AppendOffsets(nil, nil, text, false)
	require.Len(t, offsets, len(ids))
	require.Equal(t, ids, k.AppendIDs(nil, text, false))
	for i, o := range offsets {
		require.True(t, 0 <= o[0] && o[0] <= o[1] && o[1] <= len(text), "%v in %d bytes", o, len(text))
		_, ok := k.Token(ids[i])
		require.True(t, ok)
	}
	s := k.NewStream()
	s.KeepSpecial = true
	var b strings.Builder
	for _, id := range ids {
		b.WriteString(s.Add(id))
	}
	b.WriteString(s.Flush())
	require.Equal(t, k.Decode(ids, false), b.String())
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		doc(""),
		doc(`"normalizer":{"type":"Sequence","normalizers":[{"type":"NFKC"},{"type":"Strip","strip_left":true},{"type":"Replace","pattern":{"Regex":"a+"},"content":"b"}]}`),
		doc(`"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"String":"a"},"behavior":"MergedWithNext","invert":true},{"type":"ByteLevel","add_prefix_space":true}]},"decoder":{"type":"ByteLevel"}`),
		doc(`"pre_tokenizer":{"type":"Metaspace","replacement":"_","prepend_scheme":"first"},"decoder":{"type":"Metaspace","replacement":"_"}`),
		doc(`"decoder":{"type":"Sequence","decoders":[{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":2}]}`),
		doc(`"added_tokens":[{"id":4,"content":"<x>","lstrip":true,"rstrip":true,"single_word":true,"normalized":true,"special":true}],
			"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<x>"}},{"Sequence":{"id":"A"}}],"special_tokens":{"<x>":{"ids":[4]}}}`),
		`{"normalizer":{"type":"BertNormalizer"},"pre_tokenizer":{"type":"BertPreTokenizer"},"decoder":{"type":"WordPiece"},
			"model":{"type":"WordPiece","vocab":{"[UNK]":0,"a":1,"##b":2,"e":3}}}`,
		`{"normalizer":{"type":"Nmt"},"pre_tokenizer":{"type":"UnicodeScripts"},"decoder":{"type":"CTC"},
			"model":{"type":"WordLevel","unk_token":"u","vocab":{"u":0,"ab":1}}}`,
		`{"normalizer":{"type":"Precompiled","precompiled_charsmap":"CAAAAAAEAAAAAAAAYQA="},"pre_tokenizer":{"type":"FixedLength","length":2},
			"decoder":{"type":"BPEDecoder"},"model":{"vocab":[["u",0],["ab",-1.5],["<0x61>",-2e-1]],"unk_id":0,"byte_fallback":true}}`,
		`{"model":{"vocab":[["",0]],"unk_id":0}}`, // found: an unknown token without a text
		`{"model":{"merges":[],"vocab":{"a":0,"</s>":1,"<0x61>":2,"\u2581":3},"unk_token":"</s>","fuse_unk":true,"byte_fallback":true,"end_of_word_suffix":"</w>"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		k, err := Parse("fuzz", raw)
		if err != nil {
			assert.ErrorContains(t, err, "tokenizer: fuzz: ")
			return
		}
		check(t, k, "a b\u2581ab \u00e9<x>\n  ab")
		k.Encode("ab")
	})
}

func FuzzFromSentencePiece(f *testing.F) {
	for _, c := range readSPM(f).Cases {
		f.Add(c.Model)
	}
	f.Add([]byte("\x0a\x05\x0a\x01a\x18\x02\x12\x02\x18\x02"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		k, err := FromSentencePiece("fuzz", raw, SentencePieceOptions{})
		if err != nil {
			assert.ErrorContains(t, err, "tokenizer: fuzz: ")
			return
		}
		check(t, k, "a b\u2581ab \u00e9<s>\n  ab \ufb01 \U0001f642")
	})
}

func FuzzEncode(f *testing.F) {
	for _, seed := range []string{mixed, "", " ", "it's 12345 67\r\n\r\n  x", "e\u0323\u0302 \uac01 \u1100\u1161", "<s> <bos>\u2581\u2581a", "\xff\xc3(", "HelloWORLD'LL \u017f '\u017f"} {
		f.Add(seed)
	}
	var all []*Tokenizer
	for _, model := range []string{"llama_gqa", "qwen2_bias", "mistral_window", "gemma3_text"} {
		all = append(all, fixture(f, model))
	}
	for _, scan := range []scanner{scanO200k, scanTekken, scanDeepSeek, scanDigitsGPT2, scanGPT2} {
		k := fixture(f, "llama_gqa")
		k.scan = scan
		all = append(all, k)
	}
	var lossy []*Tokenizer
	for _, c := range readSPM(f).Cases {
		k, err := FromSentencePiece("m", c.Model, SentencePieceOptions{})
		require.NoError(f, err)
		lossy = append(lossy, k)
	}
	var small variants
	require.NoError(f, json.Unmarshal(gunzip(f, "testdata/words.json.gz"), &small))
	for i := range small.Cases[:12] {
		k, err := Parse("variant", small.document(f, &small.Cases[i]))
		require.NoError(f, err)
		lossy = append(lossy, k)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, k := range lossy {
			check(t, k, text)
		}
		for i, k := range all {
			check(t, k, text)
			if i != 1 && i != 2 && utf8.ValidString(text) && !strings.Contains(text, metaspace) {
				require.Equal(t, text, k.Decode(k.AppendIDs(nil, text, false), false))
			}
		}
	})
}
