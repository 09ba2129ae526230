package tokenizer

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/oracle"
)

// fixture opens a tokenizer of the repository's fixtures.
func fixture(t testing.TB, model string) *Tokenizer {
	k, err := Open(filepath.Join(oracle.Roots(t, "models")[0], model))
	require.NoError(t, err)
	return k
}

// mixed is text with all kinds of characters.
const mixed = "Natalia's 12 clips,  caf\u00e9 cafe\u0301 \u4e2d\u6587 \U0001f642\U0001f680!\n\n\tx\u00a0y \u2581 z<|eot_id|> <s>"

func TestRoundTrip(t *testing.T) {
	for _, model := range []string{"llama_gqa", "qwen2_bias", "mistral_window", "gemma3_text"} {
		k := fixture(t, model)
		s := strings.ReplaceAll(mixed, "\u2581", "|") // a metaspace decodes to a space
		ids := k.AppendIDs(nil, s, false)
		want := s
		if model == "qwen2_bias" {
			want = strings.ReplaceAll(s, "e\u0301", "\u00e9") // NFC
		}
		assert.Equal(t, want, k.Decode(ids, false), model)
	}
}

func TestOffsetsCoverTheText(t *testing.T) {
	for _, model := range []string{"llama_gqa", "qwen2_bias", "mistral_window", "gemma3_text"} {
		k := fixture(t, model)
		ids, offsets := k.AppendOffsets([]int32{7}, [][2]int{{1, 2}}, mixed, true)
		require.Len(t, offsets, len(ids))
		assert.Equal(t, int32(7), ids[0], "appends")
		assert.Equal(t, [2]int{1, 2}, offsets[0])
		assert.Equal(t, k.Encode(mixed), ids[1:])
		start, end := 0, 0
		for i, o := range offsets[1:] {
			if len(k.post.before) > i {
				assert.Equal(t, [2]int{}, o, "a special token")
				continue
			}
			assert.LessOrEqual(t, o[0], o[1])
			assert.GreaterOrEqual(t, o[0], start, "in order")
			start, end = o[0], max(end, o[1])
		}
		assert.Equal(t, len(mixed), end, model)
	}
}

func TestNames(t *testing.T) {
	k := fixture(t, "llama_gqa")
	id, text, ok := k.BOS()
	assert.True(t, ok)
	assert.Equal(t, "<|begin_of_text|>", text)
	assert.True(t, k.Special(id))
	again, ok := k.ID(text)
	assert.True(t, ok)
	assert.Equal(t, id, again)
	_, text, _ = k.EOS()
	assert.Equal(t, "<|eot_id|>", text)
	_, text, _ = k.PAD()
	assert.Equal(t, "<|pad|>", text)
	_, _, ok = k.UNK()
	assert.False(t, ok)
	assert.Contains(t, k.ChatTemplate(), "start_header_id")
	assert.Equal(t, 384, k.Size())
	space, ok := k.ID("\u0120t")
	require.True(t, ok)
	token, ok := k.Token(space)
	assert.True(t, ok)
	assert.Equal(t, "\u0120t", token)
	assert.False(t, k.Special(space))
	for _, id := range []int32{-1, 384, 1 << 30} {
		_, ok = k.Token(id)
		assert.False(t, ok)
	}
	_, ok = k.ID("no such token")
	assert.False(t, ok)
	assert.Equal(t, "", k.Decode([]int32{-5, 100000}, false))
}

func TestOpenReadsTheFilesBeside(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	_, err := Open(dir)
	require.ErrorIs(t, err, os.ErrNotExist)
	put("tokenizer.json", `{"model":{"vocab":{"a":0,"</s>":1,"<s>":2},"merges":[]}}`)
	k, err := Open(dir)
	require.NoError(t, err)
	_, _, ok := k.EOS()
	assert.False(t, ok)
	put("special_tokens_map.json", `{"eos_token":"a","bos_token":{"content":"<s>","lstrip":false},"pad_token":"missing"}`)
	put("tokenizer_config.json", `{"eos_token":{"content":"</s>"},"bos_token":null,"unk_token":null,
		"chat_template":[{"name":"tool_use","template":"T"},{"name":"default","template":"D"}]}`)
	k, err = Open(filepath.Join(dir, "tokenizer.json"))
	require.NoError(t, err)
	id, _, ok := k.EOS()
	assert.True(t, ok)
	assert.Equal(t, int32(1), id)
	id, _, _ = k.BOS()
	assert.Equal(t, int32(2), id)
	_, _, ok = k.PAD()
	assert.False(t, ok, "not in the vocabulary")
	assert.Equal(t, "D", k.ChatTemplate())
	put("chat_template.jinja", "J")
	k, err = Open(dir)
	require.NoError(t, err)
	assert.Equal(t, "J", k.ChatTemplate())
	put("tokenizer_config.json", `{"eos_token":5}`)
	_, err = Open(dir)
	assert.ErrorContains(t, err, "tokenizer_config.json")
}

func TestAppendIDsDoesNotAllocate(t *testing.T) {
	if testing.Short() {
		t.Skip("counts allocations")
	}
	text := strings.Repeat(mixed+" and more words that are common. ", 20)
	for _, model := range []string{"llama_gqa", "mistral_window", "gemma3_text"} {
		k := fixture(t, model)
		dst := k.AppendIDs(nil, text, true)
		allocs := testing.AllocsPerRun(20, func() { dst = k.AppendIDs(dst[:0], text, true) })
		assert.Zero(t, allocs, model)
		ids, offsets := k.AppendOffsets(nil, nil, text, true)
		allocs = testing.AllocsPerRun(20, func() { ids, offsets = k.AppendOffsets(ids[:0], offsets[:0], text, true) })
		assert.Zero(t, allocs, "%s with offsets", model)
	}
}

func TestConcurrentUse(t *testing.T) {
	k := fixture(t, "qwen2_bias")
	var texts []string
	var want [][]int32
	for i := range 64 {
		texts = append(texts, mixed[i%20:]+strings.Repeat(" word", i)+mixed)
		want = append(want, fixture(t, "qwen2_bias").Encode(texts[i]))
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range texts {
				j := (i + 7*g) % len(texts)
				ids, _ := k.AppendOffsets(nil, nil, texts[j], true)
				assert.Equal(t, want[j], ids)
				assert.Equal(t, want[j], k.Encode(texts[j]))
				k.Decode(ids, false)
			}
		})
	}
	wg.Wait()
	assert.LessOrEqual(t, len(k.workers.idle), maxIdle)
}

func TestWriteJSONGivesBackTheBytes(t *testing.T) {
	path := filepath.Join(oracle.Roots(t, "models")[0], "llama_gqa", "tokenizer.json")
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	k, err := Parse("t", raw)
	require.NoError(t, err)
	clear(raw) // Parse has its own copy
	var b strings.Builder
	require.NoError(t, k.WriteJSON(&b))
	again, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(again), b.String())
	assert.Equal(t, fixture(t, "llama_gqa").Encode(mixed), k.Encode(mixed))
}

func TestBytesThatAreNotUTF8(t *testing.T) {
	bad := "a\xff\xc3(\xe4\xb8 \xf0\x9f\x99"
	k := fixture(t, "llama_gqa")
	ids, offsets := k.AppendOffsets(nil, nil, bad, false)
	assert.Equal(t, ids, k.AppendIDs(nil, bad, false))
	assert.Equal(t, len(bad), offsets[len(offsets)-1][1])
	assert.Equal(t, "a\ufffd\ufffd(\ufffd \ufffd", k.Decode(ids, false), "a U+FFFD for each maximal subpart")
	for _, model := range []string{"qwen2_bias", "mistral_window", "gemma3_text"} {
		k := fixture(t, model)
		ids, offsets := k.AppendOffsets(nil, nil, bad, false)
		assert.Equal(t, ids, k.AppendIDs(nil, bad, false), model)
		for _, o := range offsets {
			assert.True(t, 0 <= o[0] && o[0] <= o[1] && o[1] <= len(bad), model)
		}
	}
}

// An empty piece of a vocabulary is a token like others. What is wanted is what
// tokenizers 0.23 says.
func TestEmptyPieceIsAToken(t *testing.T) {
	k, err := Parse("empty", []byte(`{"model":{"type":"Unigram","vocab":[["",0.0],["a",-1.0]],"unk_id":0}}`))
	require.NoError(t, err)
	ids, offsets := k.AppendOffsets(nil, nil, "ab", false)
	assert.Equal(t, []int32{1, 0}, ids)
	assert.Equal(t, [][2]int{{0, 1}, {1, 2}}, offsets)
	assert.Equal(t, "a ", k.Decode(ids, true))
	token, ok := k.Token(0)
	assert.True(t, ok)
	assert.Empty(t, token)
	_, ok = k.Token(2)
	assert.False(t, ok)
}
