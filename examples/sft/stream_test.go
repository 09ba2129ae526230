package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	pq "github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sums writes rows as JSON Lines or Parquet, by the name's ending.
func sums(t *testing.T, path string, n int) {
	type sum struct {
		Prompt     string `parquet:"prompt"`
		Completion string `parquet:"completion"`
	}
	var lines bytes.Buffer
	rows := make([]sum, n)
	for i := range rows {
		rows[i] = sum{fmt.Sprintf("%d+%d=", i%50, i%37), fmt.Sprint(i%50 + i%37)}
		fmt.Fprintf(&lines, `{"prompt":%q,"completion":%q}`+"\n", rows[i].Prompt, rows[i].Completion)
	}
	if filepath.Ext(path) == ".parquet" {
		require.NoError(t, pq.WriteFile(path, rows))
		return
	}
	require.NoError(t, os.WriteFile(path, lines.Bytes(), 0o600))
}

// TestStreamedTraining stops a run over a stream and goes on with it: the result
// is that of a run that never stopped. The same rows tell the same on one core.
func TestStreamedTraining(t *testing.T) {
	for _, name := range []string{"rows.jsonl", "rows.parquet"} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && name == "rows.parquet" {
				t.Skip("takes some seconds")
			}
			dir := t.TempDir()
			path := filepath.Join(dir, name)
			sums(t, path, 3000)
			flags := func(out string, more ...string) []string {
				return append([]string{"-json", "-stream", "-data", path, "-batch-tokens", "200", "-max-length", "64", "-save-every", "1", "-out", filepath.Join(dir, out)}, more...)
			}
			weights := func(out string) []byte {
				raw, err := os.ReadFile(filepath.Join(dir, out, "adapter_model.safetensors"))
				require.NoError(t, err)
				return raw
			}
			require.Zero(t, runCommand(t, flags("whole", "-steps", "12")...).code)
			one := runCommand(t, flags("one", "-steps", "12", "-threads", "1")...)
			require.Zero(t, one.code, one.stderr)
			assert.Equal(t, weights("whole"), weights("one"))
			stopped := command(t, flags("stopped", "-steps", "12")...)
			require.NoError(t, stopped.Start())
			require.Eventually(t, func() bool { // a checkpoint is there
				_, err := os.Stat(filepath.Join(dir, "stopped", "checkpoints", "last"))
				return err == nil
			}, time.Minute, time.Millisecond)
			require.NoError(t, stopped.Process.Kill())
			_ = stopped.Wait() // killed, or quicker than that
			again := runCommand(t, flags("stopped", "-steps", "12", "-resume")...)
			require.Zero(t, again.code, again.stderr)
			assert.Equal(t, weights("whole"), weights("stopped"))
		})
	}
	refused := runCommand(t, "-stream", "-limit", "3", "-data", "x")
	assert.Equal(t, 1, refused.code)
	assert.Contains(t, refused.stderr, "-stream")
}
