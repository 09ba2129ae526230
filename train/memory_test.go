package train

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAvailableMemory(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(root, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	_, ok := availableMemory(root)
	assert.False(t, ok)
	write("proc/meminfo", "MemTotal:  4000 kB\nMemAvailable:    3000 kB\n")
	n, ok := availableMemory(root)
	assert.True(t, ok)
	assert.Equal(t, int64(3000<<10), n)
	write("sys/fs/cgroup/memory.max", "max\n")
	write("sys/fs/cgroup/memory.current", "700000\n")
	n, _ = availableMemory(root)
	assert.Equal(t, int64(3000<<10), n)
	write("sys/fs/cgroup/memory.max", "1000000\n")
	write("sys/fs/cgroup/memory.stat", "anon 5\ninactive_file 20000\n")
	n, _ = availableMemory(root)
	assert.Equal(t, int64(320_000), n)
	write("sys/fs/cgroup/memory.current", "1100000\n")
	n, _ = availableMemory(root)
	assert.Zero(t, n, "never below nothing")

	if runtime.GOOS == "linux" {
		n, ok := AvailableMemory()
		assert.True(t, ok)
		assert.Greater(t, n, int64(1<<20))
	}
}
