package tokenizer

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Files of 50 GB are refused by their size; time and memory are bounds for machines
// under load.
func TestSparseHostileFiles(t *testing.T) {
	const size, sparseMemory, sparseTime = 50 << 30, 1 << 20, 5 * time.Second
	small := `{"version":"1.0","model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"a"}}`
	for name, c := range map[string]struct{ whole, huge string }{
		"tokenizer":   {"", fileTokenizer},
		"settings":    {small, fileConfig},
		"specials":    {small, fileSpecial},
		"template":    {small, fileTemplate},
		"vocabulary":  {"", "vocab.json"},
		"sentences":   {"", "tokenizer.model"},
		"every merge": {"", "merges.txt"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.whole != "" {
				require.NoError(t, os.WriteFile(filepath.Join(dir, fileTokenizer), []byte(c.whole), 0o600))
			}
			switch c.huge {
			case "vocab.json", "merges.txt":
				require.NoError(t, os.WriteFile(filepath.Join(dir, fileConfig), []byte(`{"tokenizer_class":"GPT2Tokenizer"}`), 0o600))
				require.NoError(t, os.WriteFile(filepath.Join(dir, "vocab.json"), []byte(`{"a":0}`), 0o600))
				require.NoError(t, os.WriteFile(filepath.Join(dir, "merges.txt"), nil, 0o600))
			case "tokenizer.model":
				require.NoError(t, os.WriteFile(filepath.Join(dir, fileConfig), []byte(`{"tokenizer_class":"LlamaTokenizer"}`), 0o600))
			}
			path := filepath.Join(dir, c.huge)
			require.NoError(t, os.WriteFile(path, []byte(`{"version":`), 0o600))
			if err := os.Truncate(path, size); err != nil {
				t.Skip("no sparse files here: ", err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, err := Open(dir)
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			require.ErrorIs(t, err, ErrLimit)
			assert.ErrorContains(t, err, path)
			assert.Less(t, took, sparseTime)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(sparseMemory))
		})
	}
}
