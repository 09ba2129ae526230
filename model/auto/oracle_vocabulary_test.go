package auto

import (
	"path/filepath"
	"testing"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestOracleGGUFTokenizer compares the tokenizer inside each GGUF file with the
// one the file was converted from, as opened and after saving as a folder.
func TestOracleGGUFTokenizer(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, root := range oracle.Roots(t, "formats/gguf_models") {
		files, err := filepath.Glob(filepath.Join(root, "*", "*-*f*16*.gguf"))
		require.NoError(t, err)
		more, err := filepath.Glob(filepath.Join(root, "llama", "*-f32.gguf"))
		require.NoError(t, err)
		for _, path := range append(files, more...) {
			if _, _, err := familyOf(path); err != nil {
				assert.ErrorIs(t, err, ErrUnsupported, path)
				tally.Skip(filepath.Base(path), "family not supported yet")
				continue
			}
			t.Run(filepath.Base(path), func(t *testing.T) { tally.Compared(compareVocabulary(t, path)) })
		}
	}
}

func compareVocabulary(t *testing.T, path string) int {
	var ref struct {
		Texts []string  `json:"texts"`
		IDs   [][]int32 `json:"tokenizers_ids"`
	}
	oracle.ReadJSON(t, filepath.Join(filepath.Dir(path), "tokens.json"), &ref)
	file, err := Open(path, Options{})
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "saved")
	require.NoError(t, Save(dir, file, SaveOptions{}))
	saved, err := Open(dir, Options{})
	require.NoError(t, err)
	requireEqualWeights(t, file.Model, saved.Model)
	folder, err := Open(filepath.Join(filepath.Dir(path), "hf"), Options{})
	require.NoError(t, err)
	assert.Equal(t, folder.Template == "", file.Template == "", "gpt2 has no chat template, the others have one")
	assert.Equal(t, file.Template, saved.Template)
	assert.Equal(t, file.Model.Config().EOS, saved.Model.Config().EOS)
	for i, text := range ref.Texts {
		for _, c := range []*Checkpoint{file, saved, folder} {
			assert.Equal(t, ref.IDs[i], c.Tokenizer.AppendIDs([]int32{}, text, false), "%s: %q", c.Path, text)
		}
		assert.Equal(t, file.Tokenizer.Encode(text), saved.Tokenizer.Encode(text), "%q", text)
		assert.Equal(t, folder.Tokenizer.Decode(ref.IDs[i], false), saved.Tokenizer.Decode(ref.IDs[i], false), "%q", text)
	}
	return len(ref.Texts)
}
