//go:build linux

package sandbox_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/reward/sandbox"
)

// runner is a sandbox with small limits; it skips the test where there is none.
func runner(t *testing.T, o sandbox.Options) *sandbox.Bubblewrap {
	t.Helper()
	b, err := sandbox.NewBubblewrap(o)
	if errors.Is(err, sandbox.ErrUnavailable) {
		t.Skipf("bubblewrap: %v", err)
	}
	require.NoError(t, err)
	return b
}

func shell(script string) sandbox.Program {
	return sandbox.Program{Command: []string{"sh", "-c", script}}
}

func TestRunsWhatItIsGiven(t *testing.T) {
	b := runner(t, sandbox.Options{})
	p := shell(`cat greeting; cat; echo "in $(pwd) as $(id -u)" >&2; exit 3`)
	p.Files = map[string][]byte{"greeting": []byte("hello "), "other.txt": nil}
	p.Stdin = []byte("world")
	r, err := b.Run(t.Context(), p)
	require.NoError(t, err)
	assert.Equal(t, "hello world", string(r.Stdout))
	assert.Equal(t, "in /home as 65534\n", string(r.Stderr))
	assert.Equal(t, 3, r.Exit)
	r, err = b.Run(t.Context(), shell(`echo x > new && cat new && ls`))
	require.NoError(t, err)
	assert.Equal(t, "x\nnew\n", string(r.Stdout), "each run has a fresh folder")
}

// TestHostileProgramsAreContained runs what a model may write, by mistake or not.
func TestHostileProgramsAreContained(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("treasure"), 0o644))
	for name, c := range map[string]struct{ script, want string }{
		"hangs":         {`while :; do :; done`, "longer than allowed"},
		"sleeps":        {`sleep 1000`, "longer than allowed"},
		"crashes":       {`kill -SEGV $$`, "signal segmentation fault"},
		"ignores TERM":  {`trap '' TERM INT HUP; while :; do sleep 100; done`, "longer than allowed"},
		"leaves others": {`(sleep 1000 &) ; sleep 1000`, "longer than allowed"},
		"writes much":   {`while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done`, "wrote more than"},
	} {
		t.Run(name, func(t *testing.T) {
			b := runner(t, sandbox.Options{Time: time.Second, Output: 1 << 16})
			began := time.Now()
			r, err := b.Run(t.Context(), shell(c.script))
			assert.ErrorIs(t, err, sandbox.ErrStopped)
			assert.ErrorContains(t, err, c.want)
			assert.LessOrEqual(t, len(r.Stdout), 1<<16)
			assert.Less(t, time.Since(began), 20*time.Second) // a busy machine is slow
		})
	}
	for name, script := range map[string]string{
		"reads a file of ours":   `cat ` + secret,
		"reads passwords":        `cat /etc/passwd || cat /etc/shadow`,
		"reads the home of root": `ls /root`,
		"writes to the system":   `touch /usr/bin/x`,
		"eats the disk":          `dd if=/dev/zero of=big bs=1M count=200`,
		"sees the environment":   `env | grep -v -E '^(PATH|HOME|LANG|PWD|SHLVL|_|OLDPWD)='`,
		"has a network":          `grep -v -E 'lo:|Inter|face' /proc/net/dev`,
		"sees other processes":   `ls -d /proc/[0-9]* | sed 1,20d | grep .`,
		"gains rights":           `mount -t tmpfs x /tmp || unshare -r true`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("POSTTRAIN_SECRET", "treasure")
			r, err := runner(t, sandbox.Options{}).Run(t.Context(), shell(script))
			if err == nil { // stopped is as good as refused
				assert.NotZero(t, r.Exit, string(r.Stdout))
			}
			assert.NotContains(t, string(r.Stdout), "treasure")
		})
	}
}

func TestMemoryIsLimited(t *testing.T) {
	b := runner(t, sandbox.Options{Memory: 64 << 20})
	r, err := b.Run(t.Context(), shell(`a=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; while :; do a=$a$a; done`))
	if err == nil {
		assert.NotZero(t, r.Exit)
		return
	}
	assert.ErrorIs(t, err, sandbox.ErrStopped)
	assert.NotErrorIs(t, err, context.DeadlineExceeded)
}

// TestForksAreLimited wants a fork bomb to end with its run, and nothing left of it.
func TestForksAreLimited(t *testing.T) {
	b := runner(t, sandbox.Options{Time: 2 * time.Second, Processes: 20})
	mark := "31415.9265"
	r, err := b.Run(t.Context(), shell(`i=0; while [ $i -lt 100 ]; do sleep `+mark+` & i=$((i+1)); done; echo started all; wait`))
	assert.NotContains(t, string(r.Stdout), "started all")
	assert.True(t, err != nil || r.Exit != 0)
	require.Eventually(t, func() bool { return running(t, mark) == 0 }, 10*time.Second, 50*time.Millisecond, "processes left")
}

// running counts the processes of the machine whose command line has a word.
func running(t *testing.T, word string) (n int) {
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, path := range lines {
		if raw, err := os.ReadFile(path); err == nil && strings.Contains(string(raw), "sleep\x00"+word) {
			n++
		}
	}
	return n
}

func TestCancelledRunsStop(t *testing.T) {
	b := runner(t, sandbox.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(200*time.Millisecond, cancel)
	_, err := b.Run(ctx, shell(`sleep 2718.28`))
	assert.ErrorIs(t, err, sandbox.ErrStopped)
	assert.ErrorIs(t, err, context.Canceled)
	require.Eventually(t, func() bool { return running(t, "2718.28") == 0 }, 10*time.Second, 50*time.Millisecond)
}

func TestBadProgramsAndOptionsAreRefused(t *testing.T) {
	for name, p := range map[string]sandbox.Program{
		"no command": {},
		"zero byte":  {Command: []string{"a\x00b"}},
		"path":       {Command: []string{"true"}, Files: map[string][]byte{"../x": nil}},
		"no name":    {Command: []string{"true"}, Files: map[string][]byte{"": nil}},
	} {
		assert.ErrorIs(t, p.Check(), sandbox.ErrProgram, name)
	}
	_, err := sandbox.NewBubblewrap(sandbox.Options{Time: -1, Memory: -1, ReadOnly: []string{"opt"}})
	assert.ErrorContains(t, err, "Time")
	assert.ErrorContains(t, err, "Memory")
	assert.ErrorContains(t, err, "ReadOnly")
	_, err = sandbox.NewBubblewrap(sandbox.Options{Path: "/nowhere/bwrap"})
	assert.ErrorIs(t, err, sandbox.ErrUnavailable)
}
