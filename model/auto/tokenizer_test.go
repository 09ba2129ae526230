package auto

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestOracleTokenizer compares the tokenizer of every checkpoint with the ids and
// texts of the reference, as opened and after saving.
func TestOracleTokenizer(t *testing.T) {
	tally := oracle.NewTally(t)
	for _, c := range oracleCases(t, tally) {
		t.Run(c.Name, func(t *testing.T) {
			var ref struct {
				Checks struct {
					Probes []struct {
						Text    string  `json:"text"`
						IDs     []int32 `json:"ids"`
						Plain   []int32 `json:"ids_no_special"`
						Decoded string  `json:"decoded"`
					} `json:"probes"`
				} `json:"tokenizer_checks"`
			}
			oracle.ReadJSON(t, filepath.Join(c.dir, "reference.json"), &ref)
			require.NotEmpty(t, ref.Checks.Probes)
			k, err := Open(c.dir, Options{})
			require.NoError(t, err)
			dir := filepath.Join(t.TempDir(), "saved")
			require.NoError(t, Save(dir, k, SaveOptions{}))
			again, err := Open(dir, Options{})
			require.NoError(t, err)
			assert.NotEmpty(t, k.Template)
			assert.Equal(t, k.Template, again.Template)
			for _, p := range ref.Checks.Probes {
				for _, tok := range []*Checkpoint{k, again} {
					assert.Equal(t, p.IDs, tok.Tokenizer.AppendIDs([]int32{}, p.Text, true), "%q", p.Text)
					assert.Equal(t, p.Plain, tok.Tokenizer.AppendIDs([]int32{}, p.Text, false), "%q", p.Text)
					assert.Equal(t, p.Decoded, tok.Tokenizer.Decode(p.IDs, true), "%q", p.Text)
				}
				tally.Compared(1)
			}
			for _, name := range []string{tokenizerFile, tokenizerConfigFile, generationFile} {
				want, err := os.ReadFile(filepath.Join(c.dir, name))
				require.NoError(t, err)
				got, err := os.ReadFile(filepath.Join(dir, name))
				require.NoError(t, err)
				assert.Equal(t, string(want), string(got), name)
			}
		})
	}
}

// withTokenizer is a tiny model with the tokenizer of a fixture.
func withTokenizer(t *testing.T) *Checkpoint {
	t.Helper()
	root := oracle.Roots(t, "models")[0]
	m, err := New([]byte(tinyLlama), model.Random{Seed: 1}, model.LoadOptions{})
	require.NoError(t, err)
	tok, err := openTokenizer(filepath.Join(root, "llama_gqa"))
	require.NoError(t, err)
	c := &Checkpoint{Model: m}
	c.useTokenizer(tok)
	return c
}

func TestSaveWritesANewTemplateAndDescribesTheTokenizer(t *testing.T) {
	c := withTokenizer(t)
	c.Template = "{% if a < b && c %}é{% endif %}"
	dir := filepath.Join(t.TempDir(), "m")
	require.NoError(t, Save(dir, c, SaveOptions{}))
	raw, err := os.ReadFile(filepath.Join(dir, tokenizerConfigFile))
	require.NoError(t, err)
	assert.Contains(t, string(raw), "a < b && c %}é")
	var fields map[string]any
	require.NoError(t, json.Unmarshal(raw, &fields))
	assert.Equal(t, "PreTrainedTokenizerFast", fields["tokenizer_class"])
	_, eos, ok := c.Tokenizer.EOS()
	require.True(t, ok)
	assert.Equal(t, eos, fields["eos_token"])
	again, err := Open(dir, Options{})
	require.NoError(t, err)
	assert.Equal(t, c.Template, again.Template)

	require.NoError(t, os.WriteFile(filepath.Join(dir, templateFile), []byte("of an older model"), 0o600))
	again.Template = "other"
	require.NoError(t, Save(dir, again, SaveOptions{}))
	again, err = Open(dir, Options{})
	require.NoError(t, err)
	assert.Equal(t, "other", again.Template)
	again.Template = ""
	require.NoError(t, Save(dir, again, SaveOptions{}))
	again, err = Open(dir, Options{})
	require.NoError(t, err)
	assert.Empty(t, again.Template)
	_, eos2, ok := again.Tokenizer.EOS()
	require.True(t, ok)
	assert.Equal(t, eos, eos2)
}

func TestTokenizerNamesTokensTheConfigurationDoesNot(t *testing.T) {
	c := withTokenizer(t)
	want := c.Model.Config()
	assert.EqualValues(t, 1, want.BOS, "the configuration goes first")
	pad, _, ok := c.Tokenizer.PAD()
	require.True(t, ok)
	assert.Equal(t, pad, want.PAD)
}

func TestOpenWantsATokenizer(t *testing.T) {
	dir := tinyFolder(t, tinyLlama)
	_, err := Open(dir, Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, "NoTokenizer")
	require.NoError(t, os.WriteFile(filepath.Join(dir, tokenizerFile), []byte(`{"model": `), 0o600))
	_, err = Open(dir, Options{})
	require.Error(t, err)
	assert.ErrorContains(t, err, tokenizerFile)
}
