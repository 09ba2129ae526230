package train

import (
	"bufio"
	"bytes"
	"os"
	"strconv"
)

// AvailableMemory is how many bytes the system can give without swapping; ok is
// false where that is not known (outside Linux). It is for refusing a run before
// it starts, never for a result.
func AvailableMemory() (n int64, ok bool) {
	raw, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	for lines := bufio.NewScanner(bytes.NewReader(raw)); lines.Scan(); {
		f := bytes.Fields(lines.Bytes())
		if len(f) == 3 && string(f[0]) == "MemAvailable:" {
			kib, err := strconv.ParseInt(string(f[1]), 10, 64)
			return kib << 10, err == nil
		}
	}
	return 0, false
}
