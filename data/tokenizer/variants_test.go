package tokenizer

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// variants is what testdata/variants.py and testdata/words.py write.
type variants struct {
	Bases map[string]struct {
		Vocab  json.RawMessage // an object, or where there are no merges also a list
		Merges [][2]string
	}
	Cases []variant
}

type variant struct {
	Base          string
	Drop          []string
	Options       map[string]any
	Added         json.RawMessage `json:"added_tokens"`
	Normalizer    json.RawMessage
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage
	Rows          []struct {
		Text    string
		IDs     []int32
		Offsets [][2]int
		Special []int32 `json:"ids_special"`
		Decoded string
		Skipped string
	}
}

// document is the tokenizer.json of a variant.
func (v *variants) document(t testing.TB, c *variant) []byte {
	model := map[string]any{}
	for k, x := range c.Options {
		model[k] = x
	}
	base := v.Bases[c.Base]
	model["vocab"] = base.Vocab
	if base.Merges != nil {
		model["vocab"], model["merges"] = shrunk(t, base.Vocab, base.Merges, c.Drop)
	}
	raw, err := json.Marshal(map[string]any{
		"version": "1.0", "added_tokens": c.Added, "normalizer": c.Normalizer, "pre_tokenizer": c.PreTokenizer,
		"post_processor": c.PostProcessor, "decoder": c.Decoder, "model": model,
	})
	require.NoError(t, err)
	return raw
}

// shrunk is a vocabulary without some tokens, and the merges that are left.
func shrunk(t testing.TB, raw json.RawMessage, merges [][2]string, drop []string) (map[string]int, [][2]string) {
	gone := map[string]bool{}
	for _, token := range drop {
		gone[token] = true
	}
	var all map[string]int
	require.NoError(t, json.Unmarshal(raw, &all))
	vocab := map[string]int{}
	for token, id := range all {
		if !gone[token] {
			vocab[token] = id
		}
	}
	left := [][2]string{}
	for _, p := range merges {
		_, a := vocab[p[0]]
		_, b := vocab[p[1]]
		if _, both := vocab[p[0]+p[1]]; a && b && both {
			left = append(left, p)
		}
	}
	return vocab, left
}

// TestVariants compares combinations of all parts with the Rust library. A larger
// set can be named by POSTTRAIN_TOKENIZER_VARIANTS.
func TestVariants(t *testing.T) {
	paths := []string{"testdata/variants.json.gz", "testdata/words.json.gz"}
	if path := os.Getenv("POSTTRAIN_TOKENIZER_VARIANTS"); path != "" {
		paths = []string{path}
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) { testVariants(t, path) })
	}
}

func testVariants(t *testing.T, path string) {
	var all variants
	require.NoError(t, json.Unmarshal(gunzip(t, path), &all))
	require.NotEmpty(t, all.Cases)
	for i := range all.Cases {
		c := &all.Cases[i]
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			raw := all.document(t, c)
			k, err := Parse("variant", raw)
			require.NoError(t, err, "%.600s", raw)
			parts := fmt.Sprintf("%s normalizer %s pre_tokenizer %s post_processor %s decoder %s added %s options %v drop %q",
				c.Base, c.Normalizer, c.PreTokenizer, c.PostProcessor, c.Decoder, c.Added, c.Options, c.Drop)
			for _, row := range c.Rows {
				ids, offsets := k.AppendOffsets(nil, nil, row.Text, false)
				ok := assert.True(t, same(row.IDs, ids), "%q: got %v, want %v", row.Text, ids, row.IDs) &&
					assert.True(t, same(row.IDs, k.AppendIDs(nil, row.Text, false)), "%q: without offsets", row.Text) &&
					assert.True(t, same(row.Special, k.Encode(row.Text)), "%q: special tokens: got %v, want %v", row.Text, k.Encode(row.Text), row.Special) &&
					assert.True(t, same(row.Offsets, inChars(row.Text, offsets)), "%q: offsets %v: got %v, want %v", row.Text, ids, inChars(row.Text, offsets), row.Offsets) &&
					assert.Equal(t, row.Decoded, k.Decode(row.IDs, false), "%q", row.Text) &&
					assert.Equal(t, row.Skipped, k.Decode(row.Special, true), "%q", row.Text)
				if !ok {
					t.Fatalf("%.1500s", parts)
				}
			}
		})
	}
}
