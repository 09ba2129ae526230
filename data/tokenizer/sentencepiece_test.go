package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func leading(s string) int { return len(s) - len(strings.TrimLeft(s, " ")) }

type spmCases struct {
	Texts []string
	Cases []struct {
		Options map[string]any
		Model   []byte
		IDs     [][]int32
		Decoded []string
	}
}

func readSPM(t testing.TB) (all spmCases) {
	require.NoError(t, json.Unmarshal(gunzip(t, "testdata/sentencepiece.json.gz"), &all))
	require.NotEmpty(t, all.Cases)
	return all
}

// TestSentencePiece compares with SentencePiece itself (testdata/sentencepiece.py).
func TestSentencePiece(t *testing.T) {
	all := readSPM(t)
	for i, c := range all.Cases {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			k, err := FromSentencePiece("m", c.Model, SentencePieceOptions{})
			require.NoError(t, err)
			again := rewritten(t, k)
			for i, s := range all.Texts {
				ids := k.Encode(s)
				assert.True(t, same(c.IDs[i], ids), "%v: %q: got %v, want %v", c.Options, s, ids, c.IDs[i])
				assert.True(t, same(ids, again.Encode(s)), "%q, written and read", s)
				// Decoding is that of tokenizer.json: SentencePiece writes unknown tokens
				// as ⁇, and removes all spaces at the start if it did so before.
				unk, _, _ := k.UNK()
				if text := k.Decode(c.IDs[i], true); !slices.Contains(c.IDs[i], unk) {
					assert.Equal(t, c.Decoded[i], text[max(0, len(text)-len(c.Decoded[i])):], "%v: %q", c.Options, s)
					assert.Equal(t, len(c.Decoded[i]), len(strings.TrimLeft(text, " "))+leading(c.Decoded[i]), "%q", s)
				}
			}
			_, eos, ok := k.EOS()
			assert.Equal(t, "</s>", eos)
			assert.True(t, ok)
		})
	}
}

func TestSentencePieceErrors(t *testing.T) {
	good := readSPM(t).Cases[0].Model
	extra := func(more string) []byte { return append(slices.Clone(good), more...) }
	for _, c := range []struct {
		raw  []byte
		want string
	}{
		{nil, "unk_id: got 0, want less than 0"},
		{[]byte("\x00"), "at byte 0: want a field"},
		{[]byte("\x0a\xff\xff\xff\xff\x0f"), "field 1 at byte 0: got a length beyond the end"},
		{[]byte("\x0b"), "got the wire type 3"},
		{[]byte("\x08"), "got a number beyond the end"},
		{[]byte("\x09\x01"), "got a number beyond the end"},
		{good[:len(good)-1], "malformed"},
		{extra("\x12\x02\x18\x04"), "model_type: not supported: got 4"},
		{extra("\x12\x03\xc0\x01\x01"), "treat_whitespace_as_suffix true"},
		{extra("\x1a\x02\x28\x00"), "escape_whitespaces false"},
		{extra("\x1a\x04\x12\x02ab"), "precompiled_charsmap: got 2 bytes"},
		{extra("\x0a\x05\x0a\x01q\x18\x05"), "an unused piece"},
		{extra("\x0a\x02\x18\x09"), "type: got 9"},
		{extra("\x12\x04\xc8\x02\xff\x7f"), "bos_id: got 16383"},
	} {
		_, err := FromSentencePiece("some.model", c.raw, SentencePieceOptions{})
		assert.ErrorContains(t, err, "tokenizer: some.model: ")
		assert.ErrorContains(t, err, c.want)
	}
	k, err := FromSentencePiece("m", good, SentencePieceOptions{AddBOS: true, AddEOS: true})
	require.NoError(t, err)
	assert.Equal(t, []int32{1, 2}, k.Encode(""))
	ids, offsets := k.AppendOffsets(nil, nil, "the", true)
	require.NotEmpty(t, ids)
	assert.Equal(t, [2]int{0, 3}, offsets[1])
}
