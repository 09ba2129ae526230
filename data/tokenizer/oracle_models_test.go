package tokenizer

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/tensor/gguf"
)

// vocabularyOf reads the tokenizer keys of a GGUF file.
func vocabularyOf(t testing.TB, path string) Vocabulary {
	f, err := gguf.Open(path)
	require.NoError(t, err)
	defer f.Close()
	text := func(key string) string {
		s, err := f.String(key)
		if !errors.Is(err, gguf.ErrNotFound) {
			require.NoError(t, err)
		}
		return s
	}
	id := func(name string) *int32 {
		n, err := f.Int("tokenizer.ggml." + name)
		if errors.Is(err, gguf.ErrNotFound) {
			return nil
		}
		require.NoError(t, err)
		return new(int32(n))
	}
	flag := func(name string) *bool {
		b, err := f.Bool("tokenizer.ggml." + name)
		if errors.Is(err, gguf.ErrNotFound) {
			return nil
		}
		require.NoError(t, err)
		return &b
	}
	v := Vocabulary{
		Model: text("tokenizer.ggml.model"), Pre: text("tokenizer.ggml.pre"),
		BOS: id("bos_token_id"), EOS: id("eos_token_id"), UNK: id("unknown_token_id"), PAD: id("padding_token_id"),
		AddBOS: flag("add_bos_token"), AddEOS: flag("add_eos_token"), AddSpacePrefix: flag("add_space_prefix"),
		ChatTemplate: text("tokenizer.chat_template"),
	}
	v.Tokens, err = f.Strings("tokenizer.ggml.tokens")
	require.NoError(t, err)
	types, err := f.Ints("tokenizer.ggml.token_type")
	require.NoError(t, err)
	for _, x := range types {
		v.Types = append(v.Types, int32(x))
	}
	if f.Has("tokenizer.ggml.scores") {
		scores, err := f.Floats("tokenizer.ggml.scores")
		require.NoError(t, err)
		for _, x := range scores {
			v.Scores = append(v.Scores, float32(x))
		}
	}
	if f.Has("tokenizer.ggml.merges") {
		v.Merges, err = f.Strings("tokenizer.ggml.merges")
		require.NoError(t, err)
	}
	return v
}

// rewritten is k written as tokenizer.json and read again.
func rewritten(t testing.TB, k *Tokenizer) *Tokenizer {
	var b bytes.Buffer
	require.NoError(t, k.WriteJSON(&b))
	again, err := Parse("written", b.Bytes())
	require.NoError(t, err)
	return again
}

// TestOracleGGUF compares the tokenizer in each GGUF file, the same written as
// tokenizer.json, and the tokenizer.json it was converted from.
func TestOracleGGUF(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "formats/gguf_models") {
		files, err := filepath.Glob(filepath.Join(root, "*", "tokens.json"))
		require.NoError(t, err)
		for _, file := range files {
			dir := filepath.Dir(file)
			name := filepath.Base(dir)
			var want struct {
				Texts   []string
				IDs     [][]int32 `json:"tokenizers_ids"`
				Llama   [][]int32 `json:"llama_cpp_ids_parse_special"`
				Decoded []string
			}
			oracle.ReadJSON(t, file, &want)
			check := func(t *testing.T, k *Tokenizer) {
				for i, s := range want.Texts {
					ids := k.AppendIDs(nil, s, false)
					assert.True(t, same(ids, want.IDs[i]), "%q: got %v, want %v", s, ids, want.IDs[i])
					assert.True(t, same(ids, want.Llama[i]), "%q: got %v, llama.cpp %v", s, ids, want.Llama[i])
					assert.Equal(t, want.Decoded[i], k.Decode(ids, false), s)
				}
				tally.Compared(len(want.Texts))
			}
			t.Run(name+"/hf", func(t *testing.T) {
				k, err := Open(filepath.Join(dir, "hf"))
				require.NoError(t, err)
				check(t, k)
			})
			models, err := filepath.Glob(filepath.Join(dir, name+"-*.gguf"))
			require.NoError(t, err)
			for _, path := range models {
				t.Run(filepath.Base(path), func(t *testing.T) {
					if f, err := gguf.Open(path); err != nil || !f.Has("tokenizer.ggml.tokens") {
						t.Skip("an adapter, or a later part of a split file")
					}
					k, err := FromGGUF(vocabularyOf(t, path))
					require.NoError(t, err)
					check(t, k)
					check(t, rewritten(t, k))
				})
			}
		}
	}
}

// TestOracleModelFolders compares the tokenizers of the model fixtures with what
// transformers gives for them.
func TestOracleModelFolders(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "models") {
		files, err := filepath.Glob(filepath.Join(root, "*", "reference.json"))
		require.NoError(t, err)
		for _, file := range files {
			dir := filepath.Dir(file)
			t.Run(filepath.Base(dir), func(t *testing.T) {
				var want struct {
					Checks struct {
						Probes []struct {
							Text, Decoded string
							IDs           []int32
							IDsNoSpecial  []int32 `json:"ids_no_special"`
						}
						Chat struct {
							Text string
							IDs  []int32
						}
					} `json:"tokenizer_checks"`
				}
				oracle.ReadJSON(t, file, &want)
				k, err := Open(dir)
				if errors.Is(err, ErrUnsupported) {
					tally.Skip(filepath.Base(dir), err.Error())
					t.Skip(err)
				}
				require.NoError(t, err)
				assert.NotEmpty(t, k.ChatTemplate())
				for _, p := range want.Checks.Probes {
					assert.True(t, same(k.Encode(p.Text), p.IDs), "%q: got %v, want %v", p.Text, k.Encode(p.Text), p.IDs)
					ids := k.AppendIDs(nil, p.Text, false)
					assert.True(t, same(ids, p.IDsNoSpecial), "%q: got %v, want %v", p.Text, ids, p.IDsNoSpecial)
					assert.Equal(t, p.Decoded, k.Decode(ids, false))
					tally.Compared(1)
				}
				if chat := want.Checks.Chat; len(chat.IDs) > 0 {
					assert.Equal(t, chat.IDs, k.AppendIDs(nil, chat.Text, false))
				}
			})
		}
	}
}

// TestOracleGemma compares the tokenizer of the real Gemma 3 270M, if its GGUF
// file is there.
func TestOracleGemma(t *testing.T) {
	path := os.Getenv("POSTTRAIN_GEMMA3_GGUF")
	if path == "" {
		t.Skip("POSTTRAIN_GEMMA3_GGUF does not name gemma-3-270m-q4_k_m.gguf")
	}
	tally := oracle.NewTally(t)
	k, err := FromGGUF(vocabularyOf(t, path))
	require.NoError(t, err)
	again := rewritten(t, k)
	for _, root := range oracle.Roots(t, "real") {
		var want struct {
			Rows []struct {
				Prompt, Completion string
				PromptIDs          []int32 `json:"prompt_ids"`
				IDs                []int32
			}
		}
		oracle.ReadJSON(t, filepath.Join(root, "gemma3-270m.json.gz"), &want)
		for _, row := range want.Rows {
			assert.Equal(t, row.PromptIDs, k.Encode(row.Prompt))
			assert.Equal(t, row.IDs, k.Encode(row.Prompt+row.Completion))
			assert.Equal(t, row.IDs, again.Encode(row.Prompt+row.Completion))
			assert.Equal(t, row.Prompt+row.Completion, k.Decode(row.IDs, true))
			tally.Compared(1)
		}
	}
}
