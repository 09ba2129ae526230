package train

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDiskIsReallyFull runs on a file system of 160 KiB, which a run outgrows:
// the stage's own files meet the limit too, not only those of this package.
func TestDiskIsReallyFull(t *testing.T) {
	out := t.TempDir()
	if err := syscall.Mount("none", out, "tmpfs", 0, "size=160k"); err != nil {
		t.Skip("cannot mount a small file system here:", err)
	}
	defer func() { assert.NoError(t, syscall.Unmount(out, 0)) }()
	s := runToy(true)
	s.params = append(s.params, flatParam("large", make([]float64, 1200), true)) // moments of 19 kB
	o := runOptions(t, s, out)
	o.Resume, o.Keep = true, -1
	tr := newTrainer(t, s, o)
	err := tr.Train(context.Background(), Hooks{})
	require.ErrorIs(t, err, syscall.ENOSPC)
	assert.ErrorContains(t, err, "train: checkpoint after step")
	assert.ErrorContains(t, err, filepath.Join(out, checkpointsDir))
	steps, err := tr.folder.steps()
	require.NoError(t, err)
	require.NotEmpty(t, steps)
	for _, step := range steps {
		assert.NoError(t, verify(tr.folder.checkpoint(checkpointName(step))))
	}

	// Room is made, and the run goes on.
	for _, step := range steps[1:] {
		require.NoError(t, os.RemoveAll(tr.folder.checkpoint(checkpointName(step))))
	}
	again := runToy(true)
	again.params = append(again.params, flatParam("large", make([]float64, 1200), true))
	o.Evaluator, o.Sampler, o.Keep, o.SaveEvery = again, again, 1, -1
	tr = newTrainer(t, again, o)
	assert.Equal(t, steps[0], tr.Step())
	require.NoError(t, tr.Train(context.Background(), Hooks{}))
}
