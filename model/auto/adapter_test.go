package auto

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/model/houlsby"
	"github.com/posttrain/posttrain/model/lora"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/model/soft"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestOracleAdaptersOfAllKinds opens every folder that PEFT made without being told
// its kind.
func TestOracleAdaptersOfAllKinds(t *testing.T) {
	tally := oracle.NewTally(t)
	kinds := map[string]bool{}
	for _, root := range oracle.Roots(t, "models") {
		var index struct {
			Adapters []struct {
				Name, Folder, Base string
				Type               string `json:"peft_type"`
			}
		}
		oracle.ReadJSON(t, filepath.Join(root, "index.json"), &index)
		for _, c := range index.Adapters {
			if _, err := os.Stat(filepath.Join(root, c.Folder)); err != nil {
				continue // a selection only is committed
			}
			t.Run(c.Name, func(t *testing.T) {
				k, err := Open(filepath.Join(root, c.Base), Options{NoTokenizer: true})
				require.NoError(t, err)
				rows := [][]int32{{1, 2, 3, 4}}
				base, err := modeltest.Compute(k.Model, rows, modeltest.PassOptions{})
				require.NoError(t, err)
				a, err := OpenAdapter(k.Model, "a", filepath.Join(root, c.Folder))
				require.NoError(t, err)
				got, err := modeltest.Compute(k.Model, rows, modeltest.PassOptions{Adapter: "a"})
				require.NoError(t, err)
				assert.NotEqual(t, base.Row(base.LogProb, 0), got.Row(got.LogProb, 0))
				dir := filepath.Join(t.TempDir(), "saved")
				require.NoError(t, a.Save(dir, ""))
				require.NoError(t, a.Restore(dir))
				a.Remove()
				after, err := modeltest.Compute(k.Model, rows, modeltest.PassOptions{})
				require.NoError(t, err)
				assert.Equal(t, base, after)
				kinds[c.Type] = true
				tally.Compared(1)
			})
		}
	}
	for _, kind := range []string{"LORA", "PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING"} {
		assert.True(t, kinds[kind], kind)
	}
}

func TestAdaptersOfOurOwnKind(t *testing.T) {
	k, dir := base(t, "llama_gqa"), t.TempDir()
	a, err := houlsby.Attach(k.Model, "h", houlsby.Config{Width: 3})
	require.NoError(t, err)
	require.NoError(t, a.Save(dir, ""))
	b, err := OpenAdapter(k.Model, "b", dir)
	require.NoError(t, err)
	assert.IsType(t, a, b)

	for raw, want := range map[string]error{
		`{"peft_type": "LORA", "r": 0}`:                               lora.ErrConfig,
		`{"peft_type": "VERA"}`:                                       lora.ErrConfig,
		`{"peft_type": "P_TUNING", "num_virtual_tokens": 1}`:          soft.ErrConfig,
		`{"peft_type": "HOULSBY", "bottleneck": 3, "unexpected": 12}`: houlsby.ErrConfig,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, adapterFile), []byte(raw), 0o644))
		c, err := OpenAdapter(k.Model, "c", dir)
		assert.ErrorIs(t, err, want)
		assert.Nil(t, c)
	}
	_, err = OpenAdapter(k.Model, "c", t.TempDir())
	assert.ErrorIs(t, err, os.ErrNotExist)
}
