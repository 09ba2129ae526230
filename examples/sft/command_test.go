package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// build makes the command once for all tests.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "posttrain-sft-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "sft.exe")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		return dir, errors.New(string(out))
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, _ := build(); path != "" {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// command prepares a run of the example.
func command(t testing.TB, args ...string) *exec.Cmd {
	path, err := build()
	require.NoError(t, err)
	return exec.Command(path, args...)
}

// result is what a command left.
type result struct {
	stdout, stderr string
	code           int
}

// run waits for the example to end.
func runCommand(t testing.TB, args ...string) result {
	var stdout, stderr bytes.Buffer
	cmd := command(t, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); !ok {
		require.NoError(t, err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// small is a training run of about a second.
func small(out string, more ...string) []string {
	return append([]string{"-json", "-limit", "200", "-eval-limit", "6", "-batch-tokens", "160", "-steps", "12", "-eval-every", "5", "-save-every", "1", "-out", out}, more...)
}
