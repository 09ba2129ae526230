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

// TestOracleNumPy takes the files of oracle/formats/npy, which no package here
// reads: each is refused, and no value is compared.
func TestOracleNumPy(t *testing.T) {
	roots := oracle.Roots(t, "formats/npy")
	tally := oracle.NewTally(t)
	for _, root := range roots {
		files, err := os.ReadDir(root)
		require.NoError(t, err)
		for _, f := range files {
			if ext := filepath.Ext(f.Name()); ext != ".npy" && ext != ".npz" {
				continue
			}
			_, err := Open(filepath.Join(root, f.Name()))
			require.Error(t, err, "no NumPy file is taken for another format")
			tally.Compared(1)
		}
	}
}

func refusesPickle(t *testing.T, err error, file string) {
	t.Helper()
	for _, part := range []string{file, "pickle", "run", "code", "not supported", "convert", "safetensors"} {
		assert.ErrorContains(t, err, part)
	}
}
