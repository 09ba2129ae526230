package generate

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/safetensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// generationReference is "generation" of reference.json.
type generationReference struct {
	Generation struct {
		Greedy []struct {
			Tokens  []int32 `json:"tokens"`
			NoCache []int32 `json:"tokens_no_cache"`
		} `json:"greedy"`
		Stop struct {
			Row    int     `json:"row"`
			EOS    int32   `json:"eos_token_id"`
			Tokens []int32 `json:"tokens"`
		} `json:"greedy_stop"`
	} `json:"generation"`
}

// TestOracleGreedy continues the rows of every supported checkpoint. For rotary
// positions that depend on the length the references with a cache are compared.
func TestOracleGreedy(t *testing.T) {
	tally := oracle.NewTally(t)
	var known []string
	for _, f := range auto.Families() {
		known = append(known, f.ModelType)
	}
	for _, root := range oracle.Roots(t, "models") {
		var index struct {
			Cases []struct {
				Folder    string `json:"folder"`
				Kind      string `json:"kind"`
				ModelType string `json:"model_type"`
			} `json:"cases"`
		}
		oracle.ReadJSON(t, filepath.Join(root, "index.json"), &index)
		for _, c := range index.Cases {
			dir := filepath.Join(root, c.Folder)
			switch found, _ := filepath.Glob(filepath.Join(dir, "config.json")); {
			case len(found) == 0: // a selection only is committed
			case c.Kind != "causal_lm" || !slices.Contains(known, c.ModelType):
				tally.Skip(c.Folder, fmt.Sprintf("%s of family %s", c.Kind, c.ModelType))
			default:
				t.Run(c.Folder, func(t *testing.T) { compareGreedy(t, dir); tally.Compared(1) })
			}
		}
	}
}

func compareGreedy(t *testing.T, dir string) {
	var ref generationReference
	oracle.ReadJSON(t, filepath.Join(dir, "reference.json"), &ref)
	c, err := auto.Open(dir, auto.Options{Weights: tensor.Float32, NoTokenizer: true})
	require.NoError(t, err)
	defer c.Close()
	rows := readRows(t, dir, len(ref.Generation.Greedy))
	g := newGenerator(t, c.Model, Config{Sequences: 2, Context: 128})
	for i, got := range generate(t, g, rows, Options{MaxTokens: len(ref.Generation.Greedy[0].Tokens), IgnoreEOS: true}) {
		assert.Equal(t, ref.Generation.Greedy[i].Tokens, got.IDs(), "row %d", i)
	}
	if stop := ref.Generation.Stop; len(stop.Tokens) > 0 {
		got := generate(t, g, rows[stop.Row:stop.Row+1], Options{StopIDs: []int32{stop.EOS}, IgnoreEOS: true})[0]
		want := stop.Tokens
		if cached := ref.Generation.Greedy[stop.Row]; cached.NoCache != nil { // the reference did not keep its cache
			want = cached.Tokens[:slices.Index(cached.Tokens, stop.EOS)+1]
		}
		assert.Equal(t, want, got.IDs())
		assert.Equal(t, FinishEOS, got.Finish)
	}
}

// readRows reads the token ids of the first n rows of a reference.
func readRows(t *testing.T, dir string, n int) [][]int32 {
	f, err := safetensors.Open(filepath.Join(dir, "reference.safetensors"))
	require.NoError(t, err)
	defer f.Close()
	rows := make([][]int32, n)
	for i := range rows {
		x, err := f.Tensor(fmt.Sprintf("row%d.input_ids", i))
		require.NoError(t, err)
		raw, err := x.Bytes()
		require.NoError(t, err)
		for k := 0; k < len(raw); k += 8 { // int64, little-endian; ids are small
			rows[i] = append(rows[i], int32(raw[k])|int32(raw[k+1])<<8|int32(raw[k+2])<<16)
		}
	}
	return rows
}
