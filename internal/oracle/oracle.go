// Package oracle finds the reference fixtures that tests compare against.
//
// Fixtures live in testdata/oracle of this repository. A second root of the
// same layout can be named by the environment variable POSTTRAIN_ORACLE; tests
// then run over both. Where neither exists (a user's module cache) tests skip.
package oracle

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Roots returns the existing fixture roots that hold the folder sub, the
// repository's first. It skips the test when there is none.
func Roots(t testing.TB, sub string) []string {
	t.Helper()
	_, self, _, _ := runtime.Caller(0)
	candidates := []string{filepath.Join(filepath.Dir(self), "..", "..", "testdata", "oracle")}
	if env := os.Getenv("POSTTRAIN_ORACLE"); env != "" {
		candidates = append(candidates, env)
	}
	var found []string
	for _, c := range candidates {
		if _, err := os.Stat(filepath.Join(c, sub)); err == nil {
			found = append(found, filepath.Join(c, sub))
		}
	}
	if len(found) == 0 {
		t.Skipf("oracle: no fixtures for %s (testdata/oracle is absent and POSTTRAIN_ORACLE is not set)", sub)
	}
	return found
}

// ReadJSON decodes a JSON file, gzipped when its name ends in .gz, into v.
func ReadJSON(t testing.TB, path string, v any) {
	t.Helper()
	raw, err := read(path)
	if err != nil {
		t.Fatalf("oracle: %v", err)
	}
	if err := json.Unmarshal(raw, v); err != nil {
		t.Fatalf("oracle: %s: %v", path, err)
	}
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if !strings.HasSuffix(path, ".gz") {
		return io.ReadAll(f)
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return io.ReadAll(z)
}

// Tally counts compared and skipped cases of one test and logs them at its end
// as "oracle: compared N, skipped M (names)".
type Tally struct {
	mu       sync.Mutex
	compared int
	skipped  []string
}

// NewTally returns a tally that reports itself when t ends. It fails the test
// when nothing was compared.
func NewTally(t testing.TB) *Tally {
	y := &Tally{}
	t.Cleanup(func() {
		slices.Sort(y.skipped)
		t.Logf("oracle: compared %d, skipped %d (%s)", y.compared, len(y.skipped), strings.Join(y.skipped, ", "))
		if y.compared == 0 && !t.Skipped() && !t.Failed() {
			t.Errorf("oracle: nothing was compared")
		}
	})
	return y
}

// Compared counts n cases as compared.
func (y *Tally) Compared(n int) {
	y.mu.Lock()
	y.compared += n
	y.mu.Unlock()
}

// Skip records a case that is not supported, with its reason.
func (y *Tally) Skip(name, reason string) {
	y.mu.Lock()
	y.skipped = append(y.skipped, name+": "+reason)
	y.mu.Unlock()
}
