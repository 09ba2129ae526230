package tokenizer

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTruncationAndPaddingAreReadAndKept(t *testing.T) {
	k, err := Parse("x", []byte(doc(`"truncation":null,"padding":null`)))
	require.NoError(t, err)
	_, cuts := k.Truncation()
	_, fills := k.Padding()
	assert.False(t, cuts || fills)

	raw := doc(`"truncation":{"direction":"Left","max_length":2,"strategy":"OnlyFirst","stride":1},
		"padding":{"strategy":{"Fixed":8},"direction":"Left","pad_to_multiple_of":4,"pad_id":1,"pad_type_id":2,"pad_token":"b"}`)
	k, err = Parse("x", []byte(raw))
	require.NoError(t, err)
	check := func(k *Tokenizer) {
		cut, ok := k.Truncation()
		assert.True(t, ok)
		assert.Equal(t, Truncation{MaxLength: 2, Stride: 1, Strategy: "OnlyFirst", Direction: "Left"}, cut)
		fill, ok := k.Padding()
		assert.True(t, ok)
		assert.Equal(t, Padding{Fixed: 8, MultipleOf: 4, Direction: "Left", ID: 1, TypeID: 2, Token: "b"}, fill)
		assert.Len(t, k.Encode("aaaa"), 4, "ids are neither cut nor filled")
	}
	check(k)
	var out bytes.Buffer
	require.NoError(t, k.WriteJSON(&out))
	again, err := Parse("x", out.Bytes())
	require.NoError(t, err)
	check(again)

	k, err = Parse("x", []byte(doc(`"truncation":{"max_length":512},"padding":{"strategy":"BatchLongest"}`)))
	require.NoError(t, err)
	cut, _ := k.Truncation()
	assert.Equal(t, Truncation{MaxLength: 512, Strategy: "LongestFirst", Direction: "Right"}, cut)
	fill, _ := k.Padding()
	assert.Equal(t, Padding{Direction: "Right"}, fill)
}

func TestFaultsOfTruncationAndPadding(t *testing.T) {
	for in, want := range map[string]string{
		`"truncation":7`:                 "truncation: ",
		`"truncation":{}`:                "truncation: got",
		`"truncation":{"max_length":-1}`: "want max_length and stride of 0 or more",
		`"truncation":{"max_length":1,"strategy":"Shortest"}`: `truncation: strategy: got "Shortest"`,
		`"truncation":{"max_length":1,"direction":"Up"}`:      `truncation: direction: got "Up", want Left or Right`,
		`"padding":{}`:                                                                     "padding: strategy: got",
		`"padding":{"strategy":{"Fixed":-1}}`:                                              "padding: got",
		`"padding":{"strategy":"Longest"}`:                                                 "padding: strategy: got",
		`"padding":{"strategy":"BatchLongest","pad_id":99999999999}`:                       "padding: ",
		`"padding":{"strategy":"BatchLongest","direction":"Up"}`:                           "padding: direction",
		`"padding":{"strategy":"BatchLongest","pad_to_multiple_of":-4,"direction":"Left"}`: "want no negative number",
	} {
		_, err := Parse("some.json", []byte(doc(in)))
		assert.ErrorContains(t, err, "tokenizer: some.json: ", in)
		assert.ErrorContains(t, err, want, in)
	}
}
