package data_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
)

// texts are the rows' texts and where they stand.
func texts(rows []data.Row) (list []string) {
	for _, row := range rows {
		list = append(list, row.Text+"@"+row.At.String())
	}
	return list
}

func TestFoldersAndPatterns(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"b.jsonl": `{"text":"b"}`, "a.csv": "text\na\n", "sub/c.json": `[{"text":"c"}]`, "notes.md": "no data",
		".hidden.jsonl": "{", ".git/x.jsonl": "{", "d.jsonl.gz": string(gzipped(t, []byte(`{"text":"d"}`))),
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	for path, want := range map[string][]string{
		dir:              {"a@" + at("a.csv") + ":2", "b@" + at("b.jsonl") + ":1", "d@" + at("d.jsonl.gz") + ":1", "c@" + at("sub/c.json") + ":1"},
		at("*.jsonl"):    {"b@" + at("b.jsonl") + ":1"},
		at("s*/?.json"):  {"c@" + at("sub/c.json") + ":1"},
		at("[ab].*"):     {"a@" + at("a.csv") + ":2", "b@" + at("b.jsonl") + ":1"},
		at("sub"):        {"c@" + at("sub/c.json") + ":1"},
		at("d.jsonl.gz"): {"d@" + at("d.jsonl.gz") + ":1"},
	} {
		src, err := data.Open(path, data.ReadOptions{})
		require.NoError(t, err, path)
		for range 2 { // every walk is a fresh one
			rows, err := data.Collect(src)
			require.NoError(t, err, path)
			assert.Equal(t, want, texts(rows), path)
		}
	}
	for path, want := range map[string]string{
		at("*.parquet"): "a pattern that no file matches",
		at("x.jsonl"):   "no such file",
		at("[a"):        "bad pattern",
	} {
		_, err := data.Open(path, data.ReadOptions{})
		require.ErrorContains(t, err, want, path)
	}
}

func TestFoldersOfOtherFileSystems(t *testing.T) {
	files := fstest.MapFS{"x/1.jsonl": {Data: []byte(`{"text":"a"}`)}, "x/2.jsonl": {Data: []byte(`{"text":"b"}`)}, "y/3.jsonl": {Data: []byte(`{"prompt":"p","completion":"c"}`)}}
	src, err := data.OpenFS(files, "x", "mine", data.ReadOptions{})
	require.NoError(t, err)
	rows, err := data.Collect(src)
	require.NoError(t, err)
	assert.Equal(t, []string{"a@mine/1.jsonl:1", "b@mine/2.jsonl:1"}, texts(rows))
	src, err = data.OpenFS(files, ".", "", data.ReadOptions{})
	require.NoError(t, err)
	_, err = data.Collect(src)
	require.ErrorContains(t, err, "data: y/3.jsonl:1: got prompt+completion (strings), want text as in x/1.jsonl:1")
}

// A file whose name has wildcards in it is that file.
func TestNamesWithWildcards(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a[1].jsonl")
	require.NoError(t, os.WriteFile(path, []byte(`{"text":"a"}`), 0o600))
	src, err := data.Open(path, data.ReadOptions{})
	require.NoError(t, err)
	rows, err := data.Collect(src)
	require.NoError(t, err)
	assert.Equal(t, []string{"a@" + path + ":1"}, texts(rows))
}
