package data_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
)

func readPairs(text string) ([]data.PairRow, error) {
	files := fstest.MapFS{"f.jsonl": {Data: []byte(text)}}
	src, err := data.OpenPairsFS(files, "f.jsonl", "", data.ReadOptions{})
	if err != nil {
		return nil, err
	}
	return data.Collect(src)
}

func TestPairsOfEveryShape(t *testing.T) {
	rows, err := readPairs(`{"prompt":"p","chosen":"c","rejected":"r","score":3}
{"prompt":[{"role":"user","content":"p"}],"chosen":[{"role":"assistant","content":"c"}],"rejected":[{"role":"assistant","content":"r"}]}
{"conversations":[{"from":"human","value":"p"}],"chosen":{"from":"gpt","value":"c"},"rejected":{"from":"gpt","value":"r"},"system":"s"}`)
	require.NoError(t, err)
	require.Len(t, rows, 3)
	chosen, rejected := rows[0].Answers()
	assert.Equal(t, [3]string{"p", "c", "r"}, [3]string{chosen.Prompt, chosen.Completion, rejected.Completion})
	assert.Equal(t, data.ShapePromptCompletion, rejected.Shape)
	for i, want := range map[int]int{1: 1, 2: 2} {
		chosen, rejected := rows[i].Answers()
		assert.Equal(t, data.ShapeChatCompletion, chosen.Shape)
		assert.Len(t, chosen.PromptMessages, want)
		assert.Equal(t, "c", chosen.CompletionMessages[0].Content)
		assert.Equal(t, "r", rejected.CompletionMessages[0].Content)
		assert.Equal(t, "assistant", rejected.CompletionMessages[0].Role)
		assert.Equal(t, i+1, rejected.At.Line)
	}
}

func TestFaultyPairsAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		`{"chosen":"c"}`: `f.jsonl:1: got columns chosen, want prompt, chosen and rejected`,
		`{"chosen":"c","rejected":"r","margin":"1"}`:   `column "margin": got a string, want a number`,
		`{"prompt":"p","chosen":"c","rejected":null}`:  `got columns prompt, chosen, rejected`,
		`{"prompt":"p","chosen":["c"],"rejected":"r"}`: `column "chosen": got a list, want a string`,
		`{"prompt":[],"chosen":[],"rejected":[]}`:      `column "prompt": got an empty list`,
		`{"prompt":"p","chosen":"c","rejected":"r"`:    `f.jsonl:1: got`,
		"{\"prompt\":\"\xff\",\"chosen\":\"\"}":        `valid UTF-8`,
		"\n\n":                                         "no rows",
	} {
		_, err := readPairs(text)
		require.Error(t, err, text)
		assert.True(t, strings.Contains(err.Error(), want), "%s: got %v, want %s", text, err, want)
	}
}

func FuzzPairs(f *testing.F) {
	f.Add(`{"prompt":"p","chosen":"c","rejected":"r"}`)
	f.Add(`[{"prompt":[{"role":"user","content":"p"}],"chosen":[],"rejected":[]}]`)
	f.Add(`{"conversations":[{"from":"human","value":"p"}],"chosen":{"from":"gpt","value":"c"},"rejected":{}}`)
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := readPairs(text)
		if err == nil && len(rows) == 0 {
			t.Fatal("no rows and no error")
		}
	})
}
