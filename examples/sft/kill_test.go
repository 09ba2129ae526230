package main

import (
	"bufio"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/posttrain/posttrain/examples/internal/kill"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestKilledTraining kills the example with SIGKILL at random moments, some of
// them while it writes a checkpoint, continues it in the same folder, and wants
// what a run leaves that nobody disturbed, byte for byte.
func TestKilledTraining(t *testing.T) {
	for _, c := range []struct {
		name, weights string
		kills, short  int
		flags         []string
	}{
		{"adapter", "adapter_model.safetensors", 30, 4, []string{"-neftune", "5"}}, // with randomness in every step
		{"full", "model.safetensors", 6, 0, []string{"-full"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			kills := c.kills
			if testing.Short() {
				kills = c.short
			}
			if kills == 0 {
				t.Skip("takes some seconds")
			}
			calm := filepath.Join(t.TempDir(), "calm")
			_, err := build()
			require.NoError(t, err)
			began := time.Now()
			done := runCommand(t, small(calm, c.flags...)...)
			require.Zero(t, done.code, done.stderr)
			want := outcome(t, calm)
			require.Equal(t, 12+4, strings.Count(want["metrics.jsonl"], "\n"), "12 steps and 4 evaluations")
			require.NotEmpty(t, want["samples.jsonl"])
			require.NotEmpty(t, want[c.weights])
			k := killer{flags: c.flags, rng: rand.New(rand.NewPCG(1, 2)), whole: time.Since(began)}
			for finished := 0; k.kills < kills || finished == 0; finished++ {
				out := filepath.Join(t.TempDir(), "run")
				k.train(t, out, kills)
				require.Equal(t, want, outcome(t, out))
			}
			assert.Positive(t, k.inside, "kills inside the writing of a checkpoint")
			assert.Positive(t, k.after, "kills after the first checkpoint")
			t.Logf("killed %d times: %d after the first checkpoint, %d inside the writing of one", k.kills, k.after, k.inside)
		})
	}
}

// TestInterruptedTraining presses Ctrl-C: the step in progress is completed and
// saved, the last line says how to go on, and going on gives what a run gives
// that nobody stopped.
func TestInterruptedTraining(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signal to send")
	}
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	calm, out := filepath.Join(t.TempDir(), "calm"), filepath.Join(t.TempDir(), "out")
	flags := []string{"-save-every", "0", "-steps", "60"}
	require.Zero(t, runCommand(t, small(calm, flags...)...).code)
	cmd := command(t, small(out, flags...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), `{"event":"step","step":2,`) {
			require.NoError(t, cmd.Process.Signal(os.Interrupt))
		}
	}
	require.Error(t, cmd.Wait())
	assertRefused(t, result{stderr: stderr.String(), code: cmd.ProcessState.ExitCode()}, "stopped after step", "-resume")
	require.Zero(t, runCommand(t, small(out, append(flags, "-resume")...)...).code)
	assert.Equal(t, withoutCheckpoints(outcome(t, calm)), withoutCheckpoints(outcome(t, out)))
}

// withoutCheckpoints leaves out all but the last checkpoint: an interruption adds
// one.
func withoutCheckpoints(files map[string]string) map[string]string {
	maps.DeleteFunc(files, func(name, _ string) bool {
		return strings.HasPrefix(name, "checkpoints/step-") && !strings.HasPrefix(name, "checkpoints/step-000060/")
	})
	return files
}

// killer runs the example and kills it.
type killer struct {
	flags []string
	rng   *rand.Rand
	whole time.Duration // of an undisturbed run
	// kills so far; of them those with a checkpoint to go back to, and those that
	// left half of one.
	kills, after, inside int
}

// train brings a run to its end, however often it is killed, but not any more
// after so many kills.
func (k *killer) train(t *testing.T, out string, kills int) {
	for i := 0; ; i++ {
		// The number of threads may change between attempts.
		args := append(small(out, k.flags...), "-resume", "-threads", string("12"[i%2]))
		cmd := command(t, args...)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		require.NoError(t, cmd.Start())
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		var moment <-chan time.Time
		if k.kills < kills {
			moment = k.moment(out)
		}
		select {
		case err := <-ended:
			require.NoError(t, err, stderr.String())
			return
		case <-moment:
			require.NoError(t, cmd.Process.Kill())
			<-ended
			k.count(out)
		}
	}
}

// moment fires at the time of the next kill: after a random time, or when a
// checkpoint is being written, of which there is one a step.
func (k *killer) moment(out string) <-chan time.Time {
	if k.rng.IntN(3) > 0 {
		return time.After(time.Duration(k.rng.Int64N(int64(k.whole))))
	}
	written := 1 + k.rng.IntN(4)
	later := time.Duration(k.rng.IntN(3000)) * time.Microsecond
	c := make(chan time.Time, 1)
	go func() {
		seen := map[string]bool{}
		for end := time.Now().Add(k.whole); time.Now().Before(end) && len(seen) < written; time.Sleep(200 * time.Microsecond) {
			for _, path := range kill.Unfinished(out) {
				seen[path] = true
			}
		}
		time.Sleep(later)
		c <- time.Now()
	}()
	return c
}

// count notes where a kill struck.
func (k *killer) count(out string) {
	k.kills++
	if len(kill.Checkpoints(out)) > 0 {
		k.after++
	}
	if len(kill.Unfinished(out)) > 0 {
		k.inside++
	}
}

// outcome is what must not depend on interruptions.
func outcome(t *testing.T, out string) map[string]string {
	files, err := kill.Outcome(out)
	require.NoError(t, err)
	return files
}
