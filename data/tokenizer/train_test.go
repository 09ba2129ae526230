package tokenizer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// each gives texts to TrainBPE.
func each(texts ...string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, s := range texts {
			if !yield(s, nil) {
				return
			}
		}
	}
}

// TestTrainBPE compares with Hugging Face's BpeTrainer (testdata/train.py).
func TestTrainBPE(t *testing.T) {
	var all struct {
		Texts []string
		Cases []struct {
			Size, Least, Longest int
			Special, Vocab       []string
			Pattern              string
			Space                bool
			Merges               [][2]string
			IDs                  [][]int32
		}
	}
	require.NoError(t, json.Unmarshal(gunzip(t, "testdata/train.json.gz"), &all))
	require.NotEmpty(t, all.Cases)
	for i, c := range all.Cases {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			k, err := TrainBPE(t.Context(), each(all.Texts...), TrainOptions{VocabSize: c.Size, MinFrequency: c.Least,
				SpecialTokens: c.Special, Pattern: c.Pattern, AddPrefixSpace: c.Space, MaxTokenLength: c.Longest})
			require.NoError(t, err)
			var vocab []string
			for id := range k.Size() {
				token, ok := k.Token(int32(id))
				require.True(t, ok)
				vocab = append(vocab, token)
			}
			assert.Equal(t, c.Vocab, vocab)
			v := k.vocab
			merges := [][2]string{}
			for _, m := range k.model.(*bpe).merges.ranked() {
				merges = append(merges, [2]string{string(v.text(int32(m.pair >> 32))), string(v.text(int32(uint32(m.pair))))})
			}
			assert.Equal(t, c.Merges, merges)
			again := rewritten(t, k)
			for i, want := range c.IDs {
				assert.True(t, same(want, k.Encode(all.Texts[i])), "%q", all.Texts[i])
				assert.True(t, same(want, again.Encode(all.Texts[i])), "%q, written and read", all.Texts[i])
				if !c.Space {
					assert.Equal(t, all.Texts[i], k.Decode(want, false))
				}
			}
			for id, s := range c.Special {
				assert.True(t, k.Special(int32(id)), s)
			}
		})
	}
}

func TestTrainBPEIsDeterministicAndBounded(t *testing.T) {
	var texts []string
	for i := range 3000 {
		texts = append(texts, fmt.Sprintf("word%d and the %d %s", i%700, i, strings.Repeat("ab", i%5)))
	}
	o := TrainOptions{VocabSize: 400, MaxWords: 200, SpecialTokens: []string{"<end>"}, EOS: "<end>", ChatTemplate: "x"}
	var first []byte
	for range 2 {
		k, err := TrainBPE(t.Context(), each(texts...), o)
		require.NoError(t, err)
		var b bytes.Buffer
		require.NoError(t, k.WriteJSON(&b))
		if first == nil {
			first = b.Bytes()
		}
		assert.Equal(t, string(first), b.String())
		id, text, ok := k.EOS()
		assert.Equal(t, []any{int32(0), "<end>", true, "x"}, []any{id, text, ok, k.ChatTemplate()})
		assert.Len(t, k.Encode(" and the"), 2, "frequent words are kept whatever the bound")
	}
	c := newCounter(10)
	for i := range 1000 {
		c.add(fmt.Sprint("w", i%500))
		c.add("often")
		require.LessOrEqual(t, len(c.words), 10)
	}
	assert.Equal(t, int64(1000), *c.words["often"])
	c.add(strings.Repeat("x", 10*wordBytes+1))
	assert.LessOrEqual(t, c.bytes, 10*wordBytes, "words that are too long are forgotten")
}

func TestTrainBPEErrors(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := TrainBPE(ctx, each("a b c"), TrainOptions{})
	assert.ErrorIs(t, err, context.Canceled)
	fault := errors.New("disk gone")
	_, err = TrainBPE(t.Context(), func(yield func(string, error) bool) { yield("", fault) }, TrainOptions{})
	assert.ErrorIs(t, err, fault)
	_, err = TrainBPE(t.Context(), each("a"), TrainOptions{Pattern: "("})
	assert.ErrorContains(t, err, `pattern "("`)
	err = TrainOptions{VocabSize: 257, MinFrequency: -1, MaxTokenLength: -1, MaxWords: -1, SpecialTokens: []string{"x", "", "<s>", "<s>"}, EOS: "e"}.Validate()
	for _, want := range []string{"VocabSize: got 257, want 260", "MinFrequency: got -1", "MaxTokenLength: got -1", "MaxWords: got -1",
		`SpecialTokens[0]: got "x"`, `SpecialTokens[1]: got ""`, `SpecialTokens[3]: got "<s>"`, `EOS: got "e"`} {
		assert.ErrorContains(t, err, want)
	}
	k, err := TrainBPE(t.Context(), each(), TrainOptions{})
	require.NoError(t, err)
	assert.Equal(t, "h\u00e9\n", k.Decode(k.Encode("h\u00e9\n"), false), "without texts there are bytes only")
	assert.Equal(t, 256, k.Size())
}
