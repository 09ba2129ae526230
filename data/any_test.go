package data_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
)

func TestRowsOfAnyKind(t *testing.T) {
	files := fstest.MapFS{
		"d/a.jsonl": {Data: []byte(`{"text":"a"}
{"prompt":"p","completion":"c"}
{"prompt":"p","chosen":"c","rejected":"r"}
{"prompt":"p","completion":"c","label":false}
{"prompt":"p","completions":["a","b"],"labels":[true,false]}
{"prompt":"p"}
{"prompt":[` + user + `]}
{"x":1}
{"prompt":"p","chosen":1,"rejected":"r"}
{"text"
{"text":"last"}`)},
		"d/b.json":  {Data: []byte(`[{"text":"a"},7]`)},
		"d/c.jsonl": {Data: []byte(`{"text":"after"}`)},
	}
	src, err := data.OpenAnyFS(files, "d", "", data.ReadOptions{})
	require.NoError(t, err)
	rows, err := data.Collect(src)
	require.NoError(t, err)
	want := []struct {
		kind, words, fault string
		examples           int
	}{
		{"text", "a", "", 1}, {"prompt+completion (strings)", "pc", "", 1}, {"preference", "pc", "", 2}, {"unpaired preference", "pc", "", 1},
		{"stepwise", "pa\nb", "", 1}, {"prompt only", "p", "", 1}, {"prompt only", "p\n", "", 1},
		{"", "", "d/a.jsonl:8: got columns x", 0}, {"preference", "", `column "chosen": got a number`, 0}, {"", "", "d/a.jsonl:10: got JSON that ends too early", 0},
		{"text", "last", "", 1}, {"text", "a", "", 1}, {"", "", "d/b.json:1: got '7'", 0}, {"text", "after", "", 1},
	}
	require.Len(t, rows, len(want))
	for i, w := range want {
		assert.Equal(t, w.kind, rows[i].Kind, "row %d", i)
		assert.Len(t, rows[i].Examples, w.examples, "row %d", i)
		if w.fault != "" {
			require.ErrorContains(t, rows[i].Fault, w.fault)
			continue
		}
		require.NoError(t, rows[i].Fault)
		assert.Equal(t, w.words, rows[i].Examples[0].Words(), "row %d", i)
	}
	src, err = data.OpenAnyFS(files, "d", "", data.ReadOptions{Limit: 3})
	require.NoError(t, err)
	rows, err = data.Collect(src)
	require.NoError(t, err)
	require.Len(t, rows, 3)
}
