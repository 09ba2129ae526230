package soft_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/soft"
	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAttachReportsFaults(t *testing.T) {
	m := tiny(t, "llama", tensor.Float32)
	_, err := soft.Attach(m, "p", soft.Config{Kind: 7, Tokens: -1, Width: -2, InitIDs: []int32{1}, Projection: true})
	require.ErrorIs(t, err, soft.ErrConfig)
	for _, want := range []string{
		"kind is Kind(7), want PromptTuning, PrefixTuning or PTuning", "tokens is -1, want 1 to 65536 (0 for 20)", "width is -2",
		"ids to start from are given for Kind(7)", "a projection or a start at zero is given for Kind(7)",
	} {
		assert.ErrorContains(t, err, want)
	}
	_, err = soft.Attach(m, "p", soft.Config{InitIDs: []int32{31}})
	assert.ErrorContains(t, err, "id 31 to start from, want 0 to 30")
	_, err = soft.Attach(m, "", soft.Config{})
	assert.ErrorContains(t, err, "the prompt has no name")
	_, err = soft.Attach(m, "p", soft.Config{})
	require.NoError(t, err)
	_, err = soft.Attach(m, "p", soft.Config{})
	assert.ErrorContains(t, err, `the model has an adapter "p" already`)
}

func TestLoadRefusesWhatItDoesNotUnderstand(t *testing.T) {
	m, dir := tiny(t, "llama", tensor.Float32), t.TempDir()
	p, err := soft.Attach(m, "p", soft.Config{Tokens: 3})
	require.NoError(t, err)
	require.NoError(t, p.Save(dir, "base"))
	path := filepath.Join(dir, "adapter_config.json")
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	var fields map[string]any
	require.NoError(t, json.Unmarshal(raw, &fields))
	for _, c := range []struct {
		key   string
		value any
		want  string
	}{
		{"peft_type", "LORA", `peft_type is "LORA", want one of PROMPT_TUNING, PREFIX_TUNING, P_TUNING`},
		{"token_dim", 8, "token_dim is 8, want 16"},
		{"num_layers", 3, "num_layers is 3, want 2"},
		{"num_transformer_submodules", 2, "num_transformer_submodules is 2, want 1"},
		{"num_virtual_tokens", 0, "num_virtual_tokens is 0, want 1"},
		{"num_virtual_tokens", 1 << 30, "num_virtual_tokens is 1073741824, want 65536"},
		{"num_virtual_tokens", 60000, "want the 960000 numbers that the configuration speaks of"},
		{"num_virtual_tokens", 4, "tensor prompt_embeddings has shape [3 16], want [4 16]"},
		{"modules_to_save", []string{"lm_head"}, `modules_to_save: got ["lm_head"], which is not supported`},
		{"peft_type", 3, "cannot unmarshal number"},
	} {
		changed := maps.Clone(fields)
		changed[c.key] = c.value
		raw, err := json.Marshal(changed)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, raw, 0o644))
		_, err = soft.Load(m, "q", dir)
		assert.ErrorContains(t, err, c.want)
	}
	_, err = soft.Load(m, "q", t.TempDir())
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// TestOthersDoNotTakeVirtualTokensForAnAdapter lets stages that cannot put virtual
// tokens into batches find no adapter, instead of computing the base model.
func TestOthersDoNotTakeVirtualTokensForAnAdapter(t *testing.T) {
	m := tiny(t, "llama", tensor.Float32)
	_, err := soft.Attach(m, "p", soft.Config{})
	require.NoError(t, err)
	assert.False(t, model.HasAdapter(m, "p"))
	assert.Equal(t, 20, model.VirtualTokens(m, "p"))
}
