package kill_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/posttrain/posttrain/examples/internal/kill"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// folder writes files and returns where they are.
func folder(t *testing.T, files map[string]string) string {
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return dir
}

// TestOutcomeLeavesOutTimesAlone wants every difference to be seen that is not one
// of time.
func TestOutcomeLeavesOutTimesAlone(t *testing.T) {
	one, err := kill.Outcome(folder(t, map[string]string{
		"metrics.jsonl": `{"event":"step","step":1,"loss":-2.5e-3,"step_seconds":0.25,"epoch":1}`, "run.json": `{"threads": 2, "seed": 1}`,
		"events.out.tfevents.12.host": "a", "report.html": "b", "checkpoints/step-000001/state.json": "c", "checkpoints/last": "step-000001",
	}))
	require.NoError(t, err)
	assert.Equal(t, map[string]string{
		"metrics.jsonl": `{"event":"step","step":1,"loss":-2.5e-3,"epoch":1}`, "run.json": `{, "seed": 1}`,
		"events.out.": "", "report.html": "", "checkpoints/step-000001/state.json": "", "checkpoints/last": "step-000001",
	}, one)
	_, err = kill.Outcome(filepath.Join(t.TempDir(), "nowhere"))
	assert.Error(t, err)
}

func TestUnfinishedCheckpointsAreToldApart(t *testing.T) {
	out := folder(t, map[string]string{"checkpoints/step-000001/a": "", "checkpoints/.partial-step-000002/a": ""})
	assert.Len(t, kill.Unfinished(out), 1)
	assert.Len(t, kill.Checkpoints(out), 1)
	assert.Empty(t, kill.Unfinished(t.TempDir()))
}
