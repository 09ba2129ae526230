package data_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
)

func TestGradedRows(t *testing.T) {
	read := func(text string) ([]data.GradedRow, error) {
		src, err := data.OpenGradedFS(fstest.MapFS{"g.jsonl": {Data: []byte(text)}}, "g.jsonl", "", data.ReadOptions{})
		require.NoError(t, err)
		return data.Collect(src)
	}
	rows, err := read(`{"prompt":"p","completions":["a","b"],"scores":[1,2.5]}` + "\n" +
		`{"prompt":"q","completions":["c","d"]}` + "\n" + `{"prompt":"q","completions":["c"],"scores":null}` + "\n")
	require.NoError(t, err)
	assert.Equal(t, []float64{1, 2.5}, rows[0].Scores)
	assert.Nil(t, rows[1].Scores)
	assert.Nil(t, rows[2].Scores, "null is a missing column")
	answers := rows[1].Answers()
	assert.Equal(t, "d", answers[1].Completion)
	assert.Equal(t, "q", answers[0].Prompt)
	for text, want := range map[string]string{
		`{"prompt":"p","completions":["a","b"],"scores":[1]}`:     "one for each of the 2 completions",
		`{"prompt":"p","completions":["a"],"scores":["1"]}`:       "scores[0]",
		`{"prompt":"p","completions":[1]}`:                        "completions[0]",
		`{"prompt":"p","answers":["a"]}`:                          "prompt, completions and perhaps scores",
		`{"prompt":"p","completions":["a"],"scores":[1e999]}`:     "scores[0]",
		`{"prompt":"p","completions":{"a":1},"scores":[1]}`:       "completions",
		`{"prompt":["p"],"completions":["a","b"],"scores":[1,2]}`: "prompt",
	} {
		_, err := read(text)
		require.Error(t, err, text)
		assert.ErrorContains(t, err, want, text)
		assert.ErrorContains(t, err, "g.jsonl:1")
	}
}
