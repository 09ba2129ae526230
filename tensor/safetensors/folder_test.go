package safetensors

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// writeModel writes n tensors of four numbers with the given value.
func writeModel(t *testing.T, dir string, n int, value float32, maxShard int64) {
	t.Helper()
	var infos []Info
	for i := range n {
		infos = append(infos, Info{fmt.Sprintf("layer.%d", i), F32, []int{2, 2}})
	}
	w, err := CreateFolder(dir, infos, FolderOptions{MaxShardBytes: maxShard})
	require.NoError(t, err)
	for i := range infos {
		require.NoError(t, w.WriteFloat32(infos[i].Name, []float32{value, value, value, float32(i)}))
	}
	require.NoError(t, w.Close())
}

func checkModel(t *testing.T, dir string, n, shards int, value float32) {
	t.Helper()
	f, err := OpenFolder(dir)
	require.NoError(t, err)
	defer f.Close()
	assert.Equal(t, n, f.Len())
	assert.Equal(t, shards, f.Shards())
	assert.Empty(t, f.Unlisted())
	assert.Equal(t, map[string]string{"format": "pt"}, f.Metadata())
	for i := range n {
		assert.Equal(t, []float32{value, value, value, float32(i)}, values(t, f, fmt.Sprintf("layer.%d", i)))
	}
	assertNoScratch(t, dir)
}

func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// TestFolderReplacesEveryLayout writes one layout over the other in all ways.
func TestFolderReplacesEveryLayout(t *testing.T) {
	dir := t.TempDir()
	writeModel(t, dir, 5, 1, 0)
	checkModel(t, dir, 5, 1, 1)
	assert.Equal(t, []string{"model.safetensors"}, names(t, dir))

	writeModel(t, dir, 5, 2, 32)
	checkModel(t, dir, 5, 3, 2)
	assert.Equal(t, []string{"model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors", "model.safetensors.index.json"}, names(t, dir))

	writeModel(t, dir, 5, 3, 32)
	checkModel(t, dir, 5, 3, 3)

	writeModel(t, dir, 5, 4, 1) // every tensor larger than a shard
	checkModel(t, dir, 5, 5, 4)
	assert.Len(t, names(t, dir), 6)

	writeModel(t, dir, 2, 5, 0)
	checkModel(t, dir, 2, 1, 5)
	assert.Equal(t, []string{"model.safetensors"}, names(t, dir))
}

func TestFolderIndexText(t *testing.T) {
	dir := t.TempDir()
	writeModel(t, dir, 3, 1, 32)
	raw, err := os.ReadFile(filepath.Join(dir, indexName))
	require.NoError(t, err)
	assert.Equal(t, `{
  "metadata": {
    "total_parameters": 12,
    "total_size": 48
  },
  "weight_map": {
    "layer.0": "model-00001-of-00002.safetensors",
    "layer.1": "model-00001-of-00002.safetensors",
    "layer.2": "model-00002-of-00002.safetensors"
  }
}
`, string(raw))
	assert.True(t, json.Valid(raw))
}

func TestFolderAbortKeepsTheOlderModel(t *testing.T) {
	dir := t.TempDir()
	writeModel(t, dir, 3, 1, 32)
	w, err := CreateFolder(dir, []Info{{"a", F32, []int{1}}, {"b", F32, []int{8}}}, FolderOptions{MaxShardBytes: 4})
	require.NoError(t, err)
	require.NoError(t, w.WriteFloat32("a", []float32{1}))
	assert.ErrorContains(t, w.Close(), `first missing "b"`)
	checkModel(t, dir, 3, 2, 1)
	assert.ErrorIs(t, w.Write("zz", nil), ErrNotFound)
}

func TestCreateFolderRefuses(t *testing.T) {
	_, err := CreateFolder(t.TempDir(), nil, FolderOptions{MaxShardBytes: -1})
	assert.ErrorContains(t, err, "MaxShardBytes: got -1")
	_, err = CreateFolder(t.TempDir(), []Info{{"a", F32, nil}, {"a", F32, nil}}, FolderOptions{MaxShardBytes: 4})
	assert.ErrorContains(t, err, "twice")
	_, err = CreateFolder(filepath.Join(t.TempDir(), "none"), nil, FolderOptions{})
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestOpenFolderWithoutModel(t *testing.T) {
	dir := t.TempDir()
	_, err := OpenFolder(dir)
	assert.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, "got neither")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pytorch_model.bin"), []byte("PK"), 0o600))
	_, err = OpenFolder(dir)
	assert.ErrorContains(t, err, "pickle")
}

// TestOpenFolderFollowsLinks: Hugging Face's cache holds links out of the folder.
func TestOpenFolderFollowsLinks(t *testing.T) {
	blobs, snapshot := t.TempDir(), t.TempDir()
	writeModel(t, blobs, 3, 1, 32)
	for _, n := range names(t, blobs) {
		if err := os.Symlink(filepath.Join(blobs, n), filepath.Join(snapshot, n)); err != nil {
			t.Skip("no symbolic links here")
		}
	}
	checkModel(t, snapshot, 3, 2, 1)
}
