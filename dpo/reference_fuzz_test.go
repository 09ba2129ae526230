package dpo

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/posttrain/posttrain/tensor/safetensors"
)

// A file of log-probabilities is an error or has a list for every example, whatever
// its bytes.
func FuzzReferenceFile(f *testing.F) {
	id := [][2]string{{"format", cacheFormat}, {"model", "m"}}
	good := filepath.Join(f.TempDir(), "good")
	c := &cache{examples: [][]float64{{-1, -2}, nil, {-3}}}
	if err := c.write(good, id); err != nil {
		f.Fatal(err)
	}
	raw, err := os.ReadFile(good)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(raw[:len(raw)-3])
	f.Add(bytes.Replace(raw, []byte("F64"), []byte("F32"), 1))
	f.Add([]byte("no such file"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		file, err := safetensors.Parse("fuzzed", raw)
		if err != nil {
			return
		}
		defer file.Close()
		c, err := parseCache(file, id, 3)
		if err == nil && len(c.examples) != 3 {
			t.Fatalf("got %d examples, want 3", len(c.examples))
		}
	})
}
