package train

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// AvailableMemory is how many bytes this process may still take without swapping
// or being killed: what the system has available, or what its container (cgroup)
// leaves if that is less. It is false where that is not known (outside Linux).
// It is for refusing a run before it starts, never for a result.
func AvailableMemory() (n int64, ok bool) {
	return availableMemory("/")
}

// availableMemory reads below root, which tests replace. A container sees its own
// group as the root of the mounted tree.
func availableMemory(root string) (n int64, ok bool) {
	kib, ok := numberAfter(filepath.Join(root, "proc/meminfo"), "MemAvailable:")
	if !ok {
		return 0, false
	}
	n = kib << 10
	for _, v := range []struct{ limit, used, stat, reclaimable string }{
		{"sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory.current", "sys/fs/cgroup/memory.stat", "inactive_file"},
		{"sys/fs/cgroup/memory/memory.limit_in_bytes", "sys/fs/cgroup/memory/memory.usage_in_bytes", "sys/fs/cgroup/memory/memory.stat", "total_inactive_file"},
	} {
		limit, limited := numberIn(filepath.Join(root, v.limit))
		used, known := numberIn(filepath.Join(root, v.used))
		if !limited || !known {
			continue // "max", or another version of cgroups
		}
		// Pages of files that were read count as used, but are given back.
		cache, _ := numberAfter(filepath.Join(root, v.stat), v.reclaimable)
		n = min(n, max(0, limit-used+cache))
	}
	return n, true
}

// numberIn reads a file that holds one number.
func numberIn(path string) (int64, bool) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
	return n, err == nil
}

// numberAfter reads the number that follows a name at the start of a line.
func numberAfter(path, name string) (int64, bool) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	for lines := bufio.NewScanner(bytes.NewReader(raw)); lines.Scan(); {
		if f := bytes.Fields(lines.Bytes()); len(f) >= 2 && string(f[0]) == name {
			n, err := strconv.ParseInt(string(f[1]), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
