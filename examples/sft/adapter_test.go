package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMethods trains each kind of adapter for a moment, from nothing and from what
// the first run wrote.
func TestMethods(t *testing.T) {
	for method, kind := range map[string]string{"lora": "LORA", "houlsby": "HOULSBY", "prompt": "PROMPT_TUNING", "prefix": "PREFIX_TUNING", "p-tuning": "P_TUNING"} {
		if testing.Short() && method != "prefix" {
			continue
		}
		t.Run(method, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			r := runCommand(t, tiniest(out, "-method", method, "-virtual-tokens", "4", "-rank", "4")...)
			require.Zero(t, r.code, r.stderr)
			raw, err := os.ReadFile(filepath.Join(out, "adapter_config.json"))
			require.NoError(t, err)
			var c struct {
				Type string `json:"peft_type"`
			}
			require.NoError(t, json.Unmarshal(raw, &c))
			assert.Equal(t, kind, c.Type)
			evals := func(stdout string) (list []float64) {
				for _, e := range events(t, stdout) {
					if e["event"] == "eval" {
						list = append(list, e["eval_loss"].(float64))
					}
				}
				return list
			}
			last := evals(r.stdout)
			r = runCommand(t, tiniest(filepath.Join(t.TempDir(), "more"), "-adapter", out)...)
			require.Zero(t, r.code, r.stderr)
			assert.Equal(t, last[len(last)-1], evals(r.stdout)[0], "the second run begins where the first ended")
		})
	}
	r := runCommand(t, tiniest(filepath.Join(t.TempDir(), "out"), "-method", "vera")...)
	assert.Equal(t, 1, r.code)
	assert.Contains(t, r.stderr, `-method: got "vera", want lora, houlsby, prompt, prefix or p-tuning`)
}
