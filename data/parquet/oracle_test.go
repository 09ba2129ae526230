package parquet_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
	"github.com/posttrain/posttrain/data/parquet"
	"github.com/posttrain/posttrain/internal/oracle"
)

type index struct {
	Files map[string]struct {
		Rows    int    `json:"rows"`
		JSONL   string `json:"jsonl"`
		Verdict string `json:"verdict"`
	} `json:"files"`
}

// limits are those of data.ReadOptions.
var limits = data.ReadOptions{MaxRowBytes: 8 << 20, MaxColumns: 1024}

func openFile(t testing.TB, path string, f parquet.Format) (data.Table, error) {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { file.Close() })
	info, err := file.Stat()
	require.NoError(t, err)
	return f.Open(data.File{ReaderAt: file, Size: info.Size(), Label: path}, limits)
}

// drain reads rows until the end or an error.
func drain(r data.Records) (rows []string, places []data.Place, err error) {
	for {
		raw, at, err := r.Next()
		if errors.Is(err, io.EOF) {
			return rows, places, r.Close()
		}
		if err != nil {
			return rows, places, err
		}
		rows, places = append(rows, string(raw)), append(places, at)
	}
}

// all reads every block.
func all(table data.Table) (rows []string, places []data.Place, err error) {
	for i := range table.Blocks() {
		records, err := table.Block(i)
		if err != nil {
			return rows, places, err
		}
		more, at, err := drain(records)
		rows, places = append(rows, more...), append(places, at...)
		if err != nil {
			return rows, places, err
		}
	}
	return rows, places, table.Close()
}

func lines(t testing.TB, path string) (list []string) {
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	s := bufio.NewScanner(file)
	for s.Scan() {
		list = append(list, s.Text())
	}
	require.NoError(t, s.Err())
	return list
}

// Every file as pyarrow reads it, and those that are broken refused.
func TestOracleFiles(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, folder := range oracle.Roots(t, "formats/parquet") {
		var in index
		oracle.ReadJSON(t, filepath.Join(folder, "index.json"), &in)
		for name, want := range in.Files {
			t.Run(name, func(t *testing.T) {
				table, err := openFile(t, filepath.Join(folder, name), parquet.Format{})
				if strings.Contains(name, ".brotli.") { // the fixtures' notes allow to refuse it by name
					require.ErrorContains(t, err, "compressed with brotli")
					tally.Skip(name, "brotli is refused by name")
					return
				}
				var rows []string
				var places []data.Place
				if err == nil {
					rows, places, err = all(table)
				}
				tally.Compared(1)
				if want.Verdict == "error" {
					require.Error(t, err)
					assert.True(t, strings.HasPrefix(err.Error(), "data: "+filepath.Join(folder, name)), "%v", err)
					return
				}
				require.NoError(t, err)
				expected := lines(t, filepath.Join(folder, want.JSONL))
				require.Len(t, rows, want.Rows)
				require.Len(t, rows, len(expected))
				for i, row := range rows {
					require.True(t, json.Valid([]byte(row)), row)
					require.JSONEq(t, expected[i], row, "row %d", i)
					require.Equal(t, i+1, places[i].Line)
				}
			})
		}
	}
}

// Rows of every kind reach the readers of package data as from a JSONL file.
func TestOracleRowTypes(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, folder := range oracle.Roots(t, "formats/parquet") {
		opts := data.ReadOptions{Formats: []data.Format{parquet.Format{}}}
		compare(t, tally, folder, "stepwise", "zstd_v2", opts, data.OpenSteps)
		compare(t, tally, folder, "preference", "snappy", opts, data.OpenPairs)
		compare(t, tally, folder, "preference_chat", "gzip_plain", opts, data.OpenPairs)
		compare(t, tally, folder, "unpaired", "zstd_v2", opts, data.OpenLabelled)
	}
}

// compare reads a table from Parquet and from JSON Lines and wants the same rows,
// or the same fault in the same row.
func compare[R any](t *testing.T, tally *oracle.Tally, folder, name, writer string, opts data.ReadOptions, open func(string, data.ReadOptions) (data.Source[R], error)) {
	t.Run(name, func(t *testing.T) {
		read := func(file string) (texts []string, fault string) {
			path := filepath.Join(folder, file)
			src, err := open(path, opts)
			require.NoError(t, err)
			for row, err := range src.All() {
				if err != nil {
					fault = err.Error()
					break
				}
				raw, err := json.Marshal(row)
				require.NoError(t, err)
				texts = append(texts, string(raw))
			}
			for i := range texts {
				texts[i] = strings.ReplaceAll(texts[i], path, "")
			}
			return texts, strings.ReplaceAll(fault, path, "")
		}
		want, wantFault := read(name + ".jsonl")
		got, gotFault := read(name + "." + writer + ".parquet")
		require.NotEmpty(t, want)
		require.Equal(t, want, got)
		require.Equal(t, wantFault, gotFault)
		tally.Compared(len(want))
	})
}
