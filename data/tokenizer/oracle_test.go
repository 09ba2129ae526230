package tokenizer

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/oracle"
)

// gold is what the Rust library gives for a string: ids without and with special
// tokens around them, the text of the first with special tokens kept, of the
// second with special tokens left out; offsets in characters.
type gold struct {
	IDs            []int32
	IDsSpecial     []int32 `json:"ids_special"`
	Decoded        string
	DecodedSpecial string `json:"decoded_special"`
	Offsets        [][2]int
}

// gunzip reads a gzipped file.
func gunzip(t testing.TB, path string) []byte {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	raw, err := io.ReadAll(z)
	require.NoError(t, err)
	return raw
}

// eachTokenizer runs fn for every tokenizer.json of the fixtures that is
// supported.
func eachTokenizer(t *testing.T, fn func(t *testing.T, k *Tokenizer, corpus []string, want []gold)) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "tokenizer") {
		var corpus []string
		oracle.ReadJSON(t, filepath.Join(root, "corpus.json.gz"), &corpus)
		files, err := filepath.Glob(filepath.Join(root, "files", "*.json.gz"))
		require.NoError(t, err)
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".json.gz")
			t.Run(name, func(t *testing.T) {
				k, err := Parse(name, gunzip(t, file))
				if errors.Is(err, ErrUnsupported) {
					tally.Skip(name, err.Error())
					t.Skip(err)
				}
				require.NoError(t, err)
				var want []gold
				oracle.ReadJSON(t, filepath.Join(root, "gold", name+".json.gz"), &want)
				require.Len(t, want, len(corpus))
				fn(t, k, corpus, want)
				tally.Compared(len(corpus))
				assert.NoError(t, k.Err())
			})
		}
	}
}

func TestOracleTokenizers(t *testing.T) {
	eachTokenizer(t, func(t *testing.T, k *Tokenizer, corpus []string, want []gold) {
		bad := 0
		for i, s := range corpus {
			if msg := differs(k, s, want[i]); msg != "" {
				bad++
				if bad <= 5 {
					t.Errorf("%d %.80q: %s", i, s, msg)
				}
			}
		}
		assert.Zero(t, bad, "strings that differ")
	})
}

// differs says what is not as the Rust library has it.
func differs(k *Tokenizer, s string, want gold) string {
	ids, offsets := k.AppendOffsets(nil, nil, s, false)
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"ids", k.AppendIDs(nil, s, false), want.IDs},
		{"ids again", k.AppendIDs(nil, s, false), want.IDs},
		{"ids with offsets", ids, want.IDs},
		{"ids with special tokens", k.Encode(s), want.IDsSpecial},
		{"text", k.Decode(want.IDs, false), want.Decoded},
		{"text without special tokens", k.Decode(want.IDsSpecial, true), want.DecodedSpecial},
		{"offsets", inChars(s, offsets), want.Offsets},
	} {
		if !same(c.got, c.want) {
			return fmt.Sprintf("%s:\n  got  %.300q\n  want %.300q", c.what, fmt.Sprint(c.got), fmt.Sprint(c.want))
		}
	}
	return ""
}

// same compares, nil being the empty list.
func same(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

// inChars converts offsets to characters.
func inChars(s string, offsets [][2]int) [][2]int {
	out := [][2]int{}
	for _, o := range offsets {
		out = append(out, [2]int{utf8.RuneCountInString(s[:o[0]]), utf8.RuneCountInString(s[:o[1]])})
	}
	return out
}
