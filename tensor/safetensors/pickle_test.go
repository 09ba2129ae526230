package safetensors

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/oracle"
)

// TestOraclePickles opens PyTorch's pickle checkpoints as files and as folders:
// each is refused with what index.json says the message must say.
func TestOraclePickles(t *testing.T) {
	for _, root := range oracle.Roots(t, "formats/torch_bin") {
		tally := oracle.NewTally(t)
		var index map[string]any
		oracle.ReadJSON(t, filepath.Join(root, "index.json"), &index)
		require.Contains(t, index["must"], "refuse all three")
		for name := range index {
			if name == "must" {
				continue
			}
			t.Run(name, func(t *testing.T) {
				_, err := Open(filepath.Join(root, name))
				require.Error(t, err)
				refusesPickle(t, err, name)
				tally.Compared(1)
				dir := t.TempDir() // as the only weights of a model
				raw, err := os.ReadFile(filepath.Join(root, name))
				require.NoError(t, err)
				for _, as := range []string{"pytorch_model.bin", "model.safetensors"} {
					path := filepath.Join(dir, as)
					require.NoError(t, os.WriteFile(path, raw, 0o600))
					_, err = OpenFolder(dir)
					require.Error(t, err)
					refusesPickle(t, err, as)
				}
				tally.Compared(2)
			})
		}
	}
}

func refusesPickle(t *testing.T, err error, file string) {
	t.Helper()
	for _, part := range []string{file, "pickle", "run", "code", "not supported", "convert", "safetensors"} {
		assert.ErrorContains(t, err, part)
	}
}
