package data_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
)

// What a hostile file may cost; the time is for machines under load.
const (
	sparseMemory = 64 << 20
	sparseTime   = 10 * time.Second
)

// A row, record or value of 50 GB is refused when it passes MaxRowBytes, not read.
func TestSparseHostileFiles(t *testing.T) {
	const size = 50 << 30
	for name, c := range map[string]struct{ head, want string }{
		"line.jsonl":   {`{"text":"`, "f.jsonl:1: "},
		"second.jsonl": {"{\"text\":\"a\"}\n{\"text\":\"", "f.jsonl:2: "},
		"array.json":   {`[{"text":"`, "f.json:1: "},
		"zeros.jsonl":  {"", "f.jsonl:1: "},
		"quote.csv":    {"text\n\"", "f.csv:2: got a record of more than"},
		"header.csv":   {"text", "f.csv:1: got a record of more than"},
		"field.tsv":    {"text\nx", "f.tsv:2: got a record of more than"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f"+filepath.Ext(name))
			require.NoError(t, os.WriteFile(path, []byte(c.head), 0o600))
			if err := os.Truncate(path, size); err != nil {
				t.Skip("no sparse files here: ", err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			src, err := data.Open(path, data.ReadOptions{})
			require.NoError(t, err)
			_, err = data.Collect(src)
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			require.ErrorContains(t, err, c.want)
			assert.Less(t, took, sparseTime)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(sparseMemory))
		})
	}
}
