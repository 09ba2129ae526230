package auto

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/safetensors"
)

// TestOracleBitsandbytes compares logits of folders that transformers saved in
// NF4, NF4 with double quantisation and int8 with a float64 run on the decoded
// weights, and saves them again as plain folders.
func TestOracleBitsandbytes(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "formats/bnb") {
		for _, name := range []string{"llama-int8", "llama-nf4-double", "llama3-nf4"} {
			t.Run(name, func(t *testing.T) {
				compareDecoded(t, filepath.Join(root, name))
				tally.Compared(1)
			})
		}
	}
}

func compareDecoded(t *testing.T, dir string) {
	file, err := safetensors.Open(filepath.Join(dir, "logits.safetensors"))
	require.NoError(t, err)
	defer file.Close()
	ref := &reference{file: file}
	c, err := Open(dir, Options{NoTokenizer: true})
	require.NoError(t, err)
	check := func(c *Checkpoint) {
		p, err := modeltest.Compute(c.Model, [][]int32{ref.ids(t, "ids")}, modeltest.PassOptions{Logits: true})
		require.NoError(t, err)
		d, size := modeltest.Farthest(p.Logits, ref.floats(t, "dequantised"))
		assert.LessOrEqual(t, d, ggufTolerance, "largest logit %g", size)
	}
	check(c)
	plain := filepath.Join(t.TempDir(), "plain")
	require.NoError(t, Save(plain, c, SaveOptions{Dtype: tensor.Float32}))
	require.NoError(t, c.Close())
	again, err := Open(plain, Options{NoTokenizer: true})
	require.NoError(t, err)
	check(again)
	raw, err := os.ReadFile(filepath.Join(plain, configFile))
	require.NoError(t, err)
	assert.NotContains(t, string(raw), "quantization_config")
}
