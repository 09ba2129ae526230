package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Names in a run folder (DESIGN §8).
const (
	runName        = "run.json"
	metricsName    = "metrics.jsonl"
	samplesName    = "samples.jsonl"
	reportName     = "report.html"
	checkpointsDir = "checkpoints"
	lastName       = "last"
	bestName       = "best"
	eventsPattern  = "events.out.tfevents."
)

// runFormat is the version of run.json and of state.json.
const runFormat = 1

// Errors about run folders.
var (
	// ErrNotEmpty says that a new run would mix with what is in the folder.
	ErrNotEmpty = errors.New("train: run folder is not empty")
	// ErrNotARun says that a folder to resume holds something else.
	ErrNotARun = errors.New("train: not a run folder")
)

// runFile is run.json: what the run is, and whether it is finished.
type runFile struct {
	Format   int             `json:"format"`
	Stage    string          `json:"stage"`
	Machine  Machine         `json:"machine"` // of the process that began it
	Options  json.RawMessage `json:"options"`
	Finished bool            `json:"finished"`
	Stopped  string          `json:"stopped,omitempty"` // why the stage ended the run before its time
	Result   json.RawMessage `json:"result,omitempty"`
}

// folder is the run folder of a trainer.
type folder struct {
	dir  string
	disk disk
	run  runFile
	// fresh says that run.json is still to be written.
	fresh bool
	// lengths are the sizes of the log files at the checkpoint that was
	// loaded; nothing else in them counts. Empty for a fresh start.
	lengths map[string]int64
	ready   bool // made and cut to lengths
}

func (f *folder) path(name ...string) string {
	return filepath.Join(append([]string{f.dir}, name...)...)
}

func (f *folder) checkpoint(name string) string { return f.path(checkpointsDir, name) }

// inspect decides between a fresh start and a resume. It reads only.
func (f *folder) inspect(resume bool) (fresh bool, err error) {
	entries, err := os.ReadDir(f.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("train: run folder: %w", err)
	}
	empty, begun := true, false
	for _, e := range entries {
		begun = begun || e.Name() == runName
		// A run killed while it wrote run.json has left nothing else.
		empty = empty && e.Name() == scratchPrefix+runName
	}
	switch {
	case empty:
		return true, nil
	case !resume:
		return false, fmt.Errorf("%w: %s holds %s; want an empty folder, or Options.Resume to go on with the run in it", ErrNotEmpty, f.dir, entries[0].Name())
	case !begun:
		return false, fmt.Errorf("%w: %s holds %s but no %s; want the folder of a run, or an empty one", ErrNotARun, f.dir, entries[0].Name(), runName)
	}
	return false, f.readRun()
}

// maxJSON bounds run.json and state.json.
const maxJSON = 64 << 20

func (f *folder) readRun() error {
	raw, err := readBounded(f.path(runName), maxJSON)
	if err != nil {
		return fmt.Errorf("train: run folder: %w", err)
	}
	if err := json.Unmarshal(raw, &f.run); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrNotARun, f.path(runName), err)
	}
	if f.run.Format != runFormat {
		return fmt.Errorf("%w: %s: format: got %d, want %d", ErrNotARun, f.path(runName), f.run.Format, runFormat)
	}
	return nil
}

func (f *folder) writeRun() error {
	raw, err := json.MarshalIndent(&f.run, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(f.disk, f.path(runName), append(raw, '\n'))
}

// prepare makes the folder, and takes out of it what was written after the
// checkpoint from which the run goes on.
func (f *folder) prepare() error {
	if f.ready {
		return nil
	}
	// run.json comes first: by it a later call knows that the folder is a run's.
	err := f.disk.MkdirAll(f.dir)
	if err == nil && f.fresh {
		err = f.writeRun()
	}
	if err == nil {
		err = f.disk.MkdirAll(f.path(checkpointsDir))
	}
	if err != nil {
		return fmt.Errorf("train: run folder: %w", err)
	}
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return fmt.Errorf("train: run folder: %w", err)
	}
	for _, e := range entries {
		name := e.Name()
		if name != metricsName && name != samplesName && !strings.HasPrefix(name, eventsPattern) {
			continue
		}
		if err := f.cut(name); err != nil {
			return fmt.Errorf("train: run folder: %w", err)
		}
	}
	f.ready = true
	return nil
}

// cut shortens a log file to its length at the checkpoint. Event files that it
// does not know are of an attempt that left no checkpoint.
func (f *folder) cut(name string) error {
	want, known := f.lengths[name]
	if !known {
		return f.disk.RemoveAll(f.path(name))
	}
	info, err := os.Stat(f.path(name))
	if err != nil {
		return err
	}
	if info.Size() < want {
		return fmt.Errorf("%s: got %d bytes, want at least the %d of the checkpoint: it was changed after the run stopped", f.path(name), info.Size(), want)
	}
	return f.disk.Truncate(f.path(name), want)
}

// place moves one file or folder of the result into the run folder.
func (f *folder) place(e fs.DirEntry) error {
	name := e.Name()
	switch name {
	case runName, metricsName, samplesName, reportName, checkpointsDir:
		return fmt.Errorf("got a file %s, want another name: the run has one", name)
	}
	if e.IsDir() { // a folder cannot be replaced in one step
		if err := f.disk.RemoveAll(f.path(name)); err != nil {
			return err
		}
	}
	return f.disk.Rename(f.path(scratchPrefix+"result", name), f.path(name))
}
