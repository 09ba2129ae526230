package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/posttrain/posttrain/examples/internal/cli"
	"github.com/posttrain/posttrain/examples/internal/kill"
	"github.com/posttrain/posttrain/examples/internal/problems"
	"github.com/posttrain/posttrain/rlhf"
	"github.com/posttrain/posttrain/rlhf/rollout"
	"github.com/posttrain/posttrain/train"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The phases of a step with a rollout of its own, in their order, and those that
// follow. With two passes over a rollout every second step is an update alone.
const (
	inGeneration = "generation"
	inReward     = "reward"
	inScoring    = "scoring" // log-probabilities under old policy and reference, advantages; the first update follows unmarked
	inUpdate     = "update"
	inCheckpoint = "checkpoint"
)

var phases = []string{inGeneration, inReward, inScoring, inUpdate, inCheckpoint}

// TestKilledTraining kills training with SIGKILL at random moments of every phase,
// continues it in the same folder, and wants what a run leaves that nobody
// disturbed, byte for byte: weights, moments, samples, metrics without times.
func TestKilledTraining(t *testing.T) {
	kills := 30
	if testing.Short() {
		kills = len(phases)
	}
	dir := t.TempDir()
	calm := filepath.Join(dir, "calm")
	k := &killer{rng: rand.New(rand.NewPCG(1, 2)), struck: map[string]int{}, missed: map[string]int{}}
	k.lasts = calmRun(t, calm)
	want, err := kill.Outcome(calm)
	require.NoError(t, err)
	require.Equal(t, smallSteps+3, strings.Count(want["metrics.jsonl"], "\n"), "steps and 3 evaluations")
	require.NotEmpty(t, want["samples.jsonl"])
	require.NotEmpty(t, want["adapter_model.safetensors"])
	require.NotEmpty(t, want["checkpoints/step-000008/optimizer.safetensors"])
	for runs := 0; k.more(kills) || runs == 0; runs++ {
		out := filepath.Join(dir, strconv.Itoa(runs))
		k.train(t, out, kills)
		got, err := kill.Outcome(out)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, p := range phases {
		assert.Positive(t, k.struck[p], "kills in phase %s", p)
	}
	t.Logf("killed %d times: %v", k.kills, k.struck)
}

// smallSteps is how long the runs of this test are: eight rollouts of two steps.
const smallSteps = 8

// small are the flags of such a run.
func small(out string, more ...string) []string {
	return append([]string{"-json", "-eval-limit", "8", "-prompts", "16", "-completions", "8", "-iterations", "2", "-beta", "0.02", "-steps", strconv.Itoa(smallSteps),
		"-save-every", "1", "-eval-every", "4", "-out", out}, more...)
}

// killer runs the child and kills it.
type killer struct {
	rng    *rand.Rand
	lasts  map[string]time.Duration // of each phase, in a calm run
	kills  int
	struck map[string]int // by phase
	missed map[string]int // signals meant for a phase that struck another: the machine is busy
}

// more says whether to go on: until there were so many kills and one at least in
// every phase, but not for ever: the machine decides where a signal strikes.
func (k *killer) more(kills int) bool {
	return k.kills < kills || k.missing() != "" && k.kills < 8*kills
}

// missing is a phase without a kill, "" if there is none.
func (k *killer) missing() string {
	for _, p := range phases {
		if k.struck[p] == 0 {
			return p
		}
	}
	return ""
}

// train brings a run to its end, however often it is killed.
func (k *killer) train(t *testing.T, out string, kills int) {
	for i := 0; ; i++ {
		// The number of threads may change between attempts.
		args := small(out, "-resume", "-threads", strconv.Itoa(1+i%2))
		target := ""
		if k.more(kills) {
			if target = phases[k.kills%len(phases)]; k.kills >= kills {
				target = k.missing()
			}
		}
		if !k.attempt(t, out, target, args) {
			return
		}
	}
}

// attempt runs the child and kills it in the phase of that name, "" for never. It
// reports whether it did.
func (k *killer) attempt(t *testing.T, out, target string, args []string) bool {
	cmd, stdout, stderr := child(t, args)
	skip := k.rng.IntN(3) // times that the phase is let through
	// A signal that is late strikes the phase after: the next one leaves earlier.
	wait := time.Duration(k.rng.Int64N(max(1, int64(k.lasts[target])))) >> min(k.missed[target], 20)
	var last line
	lines, killed := bufio.NewScanner(stdout), false
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if x := parse(lines.Bytes()); x.matters() {
			last = x
		}
		if killed || target == "" || !last.begins(target) {
			continue
		}
		if skip--; skip >= 0 {
			last = line{} // the same line does not count twice
			continue
		}
		killed = true
		if target == inCheckpoint {
			for end := time.Now().Add(time.Second); len(kill.Unfinished(out)) == 0 && time.Now().Before(end); time.Sleep(100 * time.Microsecond) {
			}
		}
		time.Sleep(wait)
		require.NoError(t, cmd.Process.Kill())
	}
	err := cmd.Wait()
	if err == nil {
		return false // it was faster
	}
	require.True(t, killed, "%v\n%s", err, stderr)
	k.kills++
	struck := last.phase(out)
	if k.struck[struck]++; struck != target {
		k.missed[target]++
	}
	return true
}

// line is what the child prints: events, and the marks of rewarder.
type line struct {
	Event      string  `json:"event"`
	Step       int     `json:"step"`
	Seconds    float64 `json:"step_seconds"`
	Generation float64 `json:"time_share/generation"`
	Scoring    float64 `json:"time_share/scoring"`
}

// Events that rewarder prints, before and after.
const (
	asked    = "asked"
	answered = "answered"
)

// parse reads a line; the last one of a process that is killed may be cut.
func parse(raw []byte) (x line) {
	_ = json.Unmarshal(raw, &x) // what is cut has no event
	return x
}

// matters says whether a phase begins with the line.
func (x line) matters() bool {
	return x.Event == asked || x.Event == answered || x.Event == "step" || x.Event == "checkpoint"
}

// begins says whether a phase begins with the line.
func (x line) begins(phase string) bool {
	switch phase {
	case inGeneration:
		return x.Event == "checkpoint" && x.Step%2 == 0 && x.Step < smallSteps
	case inUpdate:
		return x.Event == "checkpoint" && x.Step%2 == 1
	case inCheckpoint:
		return x.Event == "step"
	case inReward:
		return x.Event == asked
	}
	return x.Event == answered
}

// phase is the one in which a process died that said this last.
func (x line) phase(out string) string {
	if len(kill.Unfinished(out)) > 0 {
		return inCheckpoint
	}
	for _, p := range []string{inGeneration, inUpdate, inReward, inScoring} {
		if x.begins(p) {
			return p
		}
	}
	return "between"
}

// calmRun runs to the end and returns how long phases last.
func calmRun(t *testing.T, out string) map[string]time.Duration {
	cmd, stdout, stderr := child(t, small(out))
	lasts := map[string]time.Duration{inReward: thinking, inCheckpoint: 3 * time.Millisecond}
	longest := func(phase string, seconds float64) {
		lasts[phase] = max(lasts[phase], time.Duration(seconds*float64(time.Second)))
	}
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		x := parse(lines.Bytes())
		if x.Event != "step" {
			continue
		}
		if x.Step%2 == 0 {
			longest(inUpdate, x.Seconds)
			continue
		}
		longest(inGeneration, x.Generation*x.Seconds)
		longest(inScoring, (1-x.Generation)*x.Seconds)
	}
	require.NoError(t, cmd.Wait(), "%s", stderr)
	return lasts
}

// childVariable makes this test binary the example, with a rewarder that takes some
// time and tells when it is asked.
const childVariable = "POSTTRAIN_GRPO_CHILD"

// child starts it.
func child(t *testing.T, args []string) (*exec.Cmd, io.Reader, *strings.Builder) {
	path, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), childVariable+"=1")
	stderr := &strings.Builder{}
	cmd.Stderr = stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return cmd, stdout, stderr
}

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		os.Exit(m.Run())
	}
	flags.Register(flag.CommandLine)
	cli.Run("", runChild)
}

// runChild is run with another rewarder.
func runChild(ctx context.Context) error {
	c, err := flags.Open()
	if err != nil {
		return err
	}
	defer c.Close()
	p := rlhf.Policy{Model: c.Model}
	if p.Adapter, err = flags.Attach(c.Model); err != nil {
		return err
	}
	in, err := problems.Open(ctx, &flags, c, p.AdapterName(), *longest)
	if err != nil {
		return err
	}
	defer in.Close()
	in.Verifier = rewarder{in.Verifier}
	trainer, err := trainer(p, c, in)
	if err != nil {
		return err
	}
	defer trainer.Close()
	return trainer.Train(ctx, train.Hooks{Event: cli.NewProgress(true).Event})
}

// thinking is how long the rewarder takes.
const thinking = 5 * time.Millisecond

// rewarder tells when it is asked and when it has answered.
type rewarder struct{ rollout.Rewarder }

// Rewards implements rollout.Rewarder.
func (r rewarder) Rewards(ctx context.Context, list []rollout.Completion) ([]float64, error) {
	fmt.Println(`{"event":"` + asked + `"}`)
	time.Sleep(thinking)
	rewards, err := r.Rewarder.Rewards(ctx, list)
	fmt.Println(`{"event":"` + answered + `"}`)
	return rewards, err
}
