package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if out := os.Getenv(childFolder); out != "" {
		if err := child(out); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	tensor.DefaultDevice().Close() // tests that use it work on one core, and leave no goroutine
	goleak.VerifyTestMain(m)
}

var errDead = errors.New("disk fault")

// faultyDisk fails operation number at, counted from 1, and every one after it,
// as if the process had died there. The failing one has either half its effect
// or all of it. It does not wait for the disk.
type faultyDisk struct {
	osDisk
	at, count int
	whole     bool
	once      bool // only the one operation fails
}

func (d *faultyDisk) fails(half func()) bool {
	d.count++
	switch {
	case d.at == 0 || d.count < d.at || d.once && d.count > d.at:
		return false
	case d.count == d.at && !d.whole && half != nil:
		half()
	}
	return !d.whole || d.count > d.at
}

// do runs an operation; the error of a whole one comes after its effect.
func (d *faultyDisk) do(half func(), op func() error) error {
	if d.fails(half) {
		return errDead
	}
	err := op()
	if d.whole && d.count == d.at {
		return errDead
	}
	return err
}

func (d *faultyDisk) MkdirAll(dir string) error {
	return d.do(nil, func() error { return d.osDisk.MkdirAll(dir) })
}

func (d *faultyDisk) WriteFile(path string, data []byte) error {
	half := func() { _ = os.WriteFile(path, data[:len(data)/2], 0o600) }
	return d.do(half, func() error { return os.WriteFile(path, data, 0o600) })
}

func (d *faultyDisk) Append(path string) (appender, error) {
	var f appender
	err := d.do(nil, func() (err error) { f, err = d.osDisk.Append(path); return err })
	if err != nil {
		return nil, err
	}
	return &faultyFile{f, d}, nil
}

func (d *faultyDisk) Truncate(path string, size int64) error {
	return d.do(nil, func() error { return os.Truncate(path, size) })
}
func (d *faultyDisk) Sync(string) error { return d.do(nil, func() error { return nil }) }
func (d *faultyDisk) Rename(from, to string) error {
	return d.do(nil, func() error { return os.Rename(from, to) })
}
func (d *faultyDisk) RemoveAll(path string) error {
	return d.do(nil, func() error { return os.RemoveAll(path) })
}

type faultyFile struct {
	appender
	disk *faultyDisk
}

func (f *faultyFile) Write(b []byte) (n int, err error) {
	half := func() { n, _ = f.appender.Write(b[:len(b)/2]) }
	err = f.disk.do(half, func() (err error) { n, err = f.appender.Write(b); return err })
	return n, err
}
func (f *faultyFile) Sync() error { return f.disk.do(nil, func() error { return nil }) }

// withDisk is a trainer over a disk of the test's; it resumes.
func withDisk(t testing.TB, s *toy, out string, d disk) (*Trainer, error) {
	o := runOptions(t, s, "")
	tr, err := New(s, o)
	require.NoError(t, err)
	tr.options.Out, tr.options.Resume = out, true
	return openTrainer(tr, d)
}

// fastDir is a temporary folder in memory where there is such a thing.
func fastDir(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "posttrain-train-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// TestKilledAtEveryWrite stops a run at each change of the disk in turn, half
// done and done, continues it, and wants the undisturbed outcome.
func TestKilledAtEveryWrite(t *testing.T) {
	calm := fastDir(t)
	d := &faultyDisk{}
	tr, err := withDisk(t, runToy(true), calm, d)
	require.NoError(t, err)
	require.NoError(t, tr.Train(context.Background(), Hooks{}))
	want := outcome(t, calm)
	require.Greater(t, d.count, 150)
	stride := 1
	if testing.Short() {
		stride = 11
	}
	for at := 1; at <= d.count; at += stride {
		for _, whole := range []bool{false, true} {
			out := filepath.Join(fastDir(t), "run")
			tr, err := withDisk(t, runToy(true), out, &faultyDisk{at: at, whole: whole})
			if err == nil {
				err = tr.Train(context.Background(), Hooks{})
			}
			require.ErrorIs(t, err, errDead, "operation %d", at)
			again, err := withDisk(t, runToy(true), out, &faultyDisk{})
			require.NoError(t, err, "operation %d, whole %v", at, whole)
			require.NoError(t, again.Train(context.Background(), Hooks{}), "operation %d, whole %v", at, whole)
			require.Equal(t, want, outcome(t, out), "operation %d, whole %v", at, whole)
			require.NotContains(t, names(t, filepath.Join(out, checkpointsDir)), scratchPrefix+checkpointName(12))
		}
	}
}

// TestDiskFullKeepsTheLastCheckpoint fails single operations: the error says
// what and where, the last good checkpoint is intact, and the run can go on.
func TestDiskFullKeepsTheLastCheckpoint(t *testing.T) {
	calm := fastDir(t)
	d := &faultyDisk{}
	tr, err := withDisk(t, runToy(true), calm, d)
	require.NoError(t, err)
	require.NoError(t, tr.Train(context.Background(), Hooks{}))
	want := outcome(t, calm)
	for at := d.count / 2; at <= d.count; at += 7 {
		out := filepath.Join(fastDir(t), "run")
		tr, err := withDisk(t, runToy(true), out, &faultyDisk{at: at, once: true})
		require.NoError(t, err)
		err = tr.Train(context.Background(), Hooks{})
		require.ErrorIs(t, err, errDead)
		assert.ErrorContains(t, err, "train: ")
		assert.ErrorIs(t, tr.Train(context.Background(), Hooks{}), errDead, "the error is final")
		assert.ErrorIs(t, tr.Save(), errDead)
		steps, err := tr.folder.steps()
		require.NoError(t, err)
		require.NotEmpty(t, steps)
		for _, step := range steps {
			assert.NoError(t, verify(tr.folder.checkpoint(checkpointName(step))))
		}
		finishRun(t, true, out, nil)
		require.Equal(t, want, outcome(t, out), "operation %d", at)
	}
}

func TestStageThatCannotSave(t *testing.T) {
	out := t.TempDir()
	s := runToy(true)
	o := runOptions(t, s, out)
	tr, err := New(s, o)
	require.NoError(t, err)
	for step, err := range tr.Steps(context.Background()) {
		if step.N == 5 {
			s.saveErr = io.ErrShortWrite
		}
		if err != nil {
			assert.ErrorIs(t, err, io.ErrShortWrite)
			assert.EqualError(t, err, "train: checkpoint after step 6: stage toy: save weights: short write")
		}
	}
	assert.ElementsMatch(t, []string{"step-000003", "step-000004", "last", "best"}, names(t, filepath.Join(out, checkpointsDir)))
	require.NoError(t, verify(filepath.Join(out, checkpointsDir, "step-000004")))
}

func TestReadOnlyFolder(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	out := t.TempDir()
	require.NoError(t, os.Chmod(out, 0o500))
	s := runToy(true)
	tr, err := New(s, runOptions(t, s, out))
	require.NoError(t, err)
	err = tr.Train(context.Background(), Hooks{})
	assert.ErrorIs(t, err, os.ErrPermission)
	assert.ErrorContains(t, err, out)
}

// The process that is killed: a longer run with a pause in each step, so that
// there is time to be killed in.
const (
	childFolder = "POSTTRAIN_TRAIN_CHILD"
	childSteps  = 60
)

func childOptions(s *toy, out string, d *tensor.Device) Options {
	return Options{
		Optimizer: AdamW{LR: 0.05}, MaxSteps: childSteps, EvalEvery: 7, SampleEvery: 10, SaveEvery: 2,
		Out: out, Resume: true, Evaluator: s, Sampler: s, Device: d,
	}
}

func child(out string) error {
	s := runToy(false)
	s.next = func() { time.Sleep(2 * time.Millisecond) }
	d := tensor.NewDevice(1)
	defer d.Close()
	tr, err := New(s, childOptions(s, out, d))
	if err != nil {
		return err
	}
	return tr.Train(context.Background(), Hooks{})
}

// TestKilledProcess sends SIGKILL at random moments and wants the undisturbed
// outcome whenever a run gets to its end.
func TestKilledProcess(t *testing.T) {
	kills := 30
	if testing.Short() {
		kills = 5
	}
	calm := t.TempDir()
	s := runToy(false)
	tr, err := New(s, childOptions(s, calm, oneCore(t)))
	require.NoError(t, err)
	require.NoError(t, tr.Train(context.Background(), Hooks{}))
	want := outcome(t, calm)

	rng := rand.New(rand.NewPCG(1, 2))
	out := filepath.Join(t.TempDir(), "run")
	killed, inside, finished := 0, 0, 0
	for killed < kills || finished == 0 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childFolder+"="+out)
		var stderr, began = &tail{}, time.Now()
		cmd.Stderr = stderr
		require.NoError(t, cmd.Start())
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		var timeout <-chan time.Time
		if killed < kills {
			timeout = time.After(time.Duration(10+rng.IntN(90)) * time.Millisecond)
		}
		select {
		case <-timeout:
			require.NoError(t, cmd.Process.Kill())
			<-ended
			killed++
			half, err := filepath.Glob(filepath.Join(out, checkpointsDir, ".*"))
			require.NoError(t, err)
			if len(half) > 0 {
				inside++
			}
		case err := <-ended:
			require.NoError(t, err, "after %v: %s", time.Since(began), stderr)
			require.Equal(t, want, outcome(t, out))
			finished++
			out = filepath.Join(t.TempDir(), "run")
		}
	}
	if kills >= 30 {
		assert.Positive(t, inside, "a third of the time goes into checkpoints")
	}
	t.Logf("killed %d times, %d of them inside the writing of a checkpoint; %d runs finished", killed, inside, finished)
}

// tail keeps what a process said.
type tail struct{ text []byte }

func (w *tail) Write(b []byte) (int, error) { w.text = append(w.text, b...); return len(b), nil }
func (w *tail) String() string              { return string(w.text) }
