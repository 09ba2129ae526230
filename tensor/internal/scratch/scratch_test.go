package scratch

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWriteWholeReplacesAndLeavesNothingElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, text := range []string{"first", "second, longer"} {
		require.NoError(t, WriteWhole(path, []byte(text)))
		raw, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, text, string(raw))
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

func TestCreateDoesNotTakeAFileThatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	a, first, err := Create(path)
	require.NoError(t, err)
	b, second, err := Create(path)
	require.NoError(t, err)
	require.NotEqual(t, first, second)
	require.NoError(t, a.Close())
	require.NoError(t, b.Close())
	require.NoError(t, Remove(first))
	require.NoError(t, Remove(first), "gone already")
	require.NoFileExists(t, path)
}

func TestFoldersThatAreMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "file")
	_, _, err := Create(path)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorIs(t, WriteWhole(path, nil), os.ErrNotExist)
}
