package tokenizer

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStreamEqualsDecode(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, model := range []string{"llama_gqa", "qwen2_bias", "mistral_window", "gemma3_text"} {
		k := fixture(t, model)
		for range 200 {
			ids := make([]int32, rnd.IntN(30))
			for i := range ids {
				ids[i] = int32(rnd.IntN(k.Size() + 2))
			}
			for _, keep := range []bool{false, true} {
				s := k.NewStream()
				s.KeepSpecial = keep
				for range 2 { // a stream can be used again after Flush
					var b strings.Builder
					for _, id := range ids {
						part := s.Add(id)
						assert.True(t, utf8.ValidString(part))
						b.WriteString(part)
					}
					b.WriteString(s.Flush())
					require.Equal(t, k.Decode(ids, !keep), b.String(), "%s %v", model, ids)
				}
			}
		}
	}
}

func TestStreamHoldsBackWhatIsNotSettled(t *testing.T) {
	k := fixture(t, "llama_gqa")
	s := k.NewStream()
	ids := k.AppendIDs(nil, "a\U0001f642b", false)
	require.Len(t, ids, 6, "the emoji is four bytes")
	var parts []string
	for _, id := range ids {
		parts = append(parts, s.Add(id))
	}
	assert.Equal(t, []string{"a", "", "", "", "\U0001f642", "b"}, parts)
	assert.Equal(t, "", s.Flush())

	// SentencePiece's byte tokens are one run, of which no part is settled.
	k = fixture(t, "mistral_window")
	s = k.NewStream()
	ids = k.AppendIDs(nil, "\U0001f642\U0001f680", false)
	for _, id := range ids {
		assert.Equal(t, "", s.Add(id))
	}
	assert.Equal(t, "\U0001f642\U0001f680", s.Flush())
}

func TestStreamLeavesOutSpecialTokens(t *testing.T) {
	k := fixture(t, "llama_gqa")
	id, text, _ := k.EOS()
	s := k.NewStream()
	assert.Equal(t, "", s.Add(id))
	s = k.NewStream()
	s.KeepSpecial = true
	assert.Equal(t, text, s.Add(id))
}

func TestLossyText(t *testing.T) {
	for in, want := range map[string]string{
		"ok é":                 "ok é",
		"\xff\xfe":             "\ufffd\ufffd",
		"\xe4\xb8":             "\ufffd",
		"\xe4\xb8\xe4\xb8\xad": "\ufffd中",
		"\xf0\x9f\x99x":        "\ufffdx",
		"\xc0\x80":             "\ufffd\ufffd",
		"\xed\xa0\x80":         "\ufffd\ufffd\ufffd",
		"\xf4\x90\x80\x80":     "\ufffd\ufffd\ufffd\ufffd",
		"\xe0\x80\x80":         "\ufffd\ufffd\ufffd",
		"\xf0\x90":             "\ufffd",
	} {
		assert.Equal(t, want, string(appendLossy(nil, []byte(in))), "%q", in)
	}
	for in, want := range map[string]int{"a": 0, "": 0, "\xe4": 1, "\xe4\xb8": 2, "é": 0, "\xf0\x9f\x99": 3, "\xff": 0, "\x80\x80": 0, "\xe0\x80": 0} {
		assert.Equal(t, want, incomplete([]byte(in)), "%q", in)
	}
}

func TestAlphabet(t *testing.T) {
	seen := map[rune]bool{}
	for b := range 256 {
		r := byteRune(byte(b))
		assert.False(t, seen[r])
		seen[r] = true
		back, ok := runeByte(r)
		assert.True(t, ok)
		assert.Equal(t, byte(b), back)
	}
	assert.Equal(t, 'Ġ', byteRune(' '))
	assert.Equal(t, 'Ċ', byteRune('\n'))
	for _, r := range []rune{' ', 0x7f, 0xa0, 0xad, 0x144, '中'} {
		_, ok := runeByte(r)
		assert.False(t, ok, "%q", r)
	}
}
