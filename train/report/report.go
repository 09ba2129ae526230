package report

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Names in a run folder (DESIGN §8).
const (
	runName     = "run.json"
	metricsName = "metrics.jsonl"
	samplesName = "samples.jsonl"
)

// ErrNotARun says that a folder holds no run.
var ErrNotARun = errors.New("report: not a run folder")

// Run makes the report of a run. It satisfies train.Reporter. The zero value is
// ready to use, and a Run can be used by several goroutines.
type Run struct {
	// Title stands at the top of the page; "" means "Training run" and the
	// kind of training.
	Title string
	// Notes stand above the evaluations: what a reader should know about the
	// numbers.
	Notes []string
}

// Report writes the page of the run in the folder dir. Files that are absent,
// faulty lines and the like are noted on the page; a folder that holds nothing of
// a run is an error (ErrNotARun), and so is a file that cannot be read.
func (r Run) Report(w io.Writer, dir string) error {
	return r.write(w, os.DirFS(dir), dir)
}

// write makes the report of the files; dir is for messages.
func (r Run) write(w io.Writer, files fs.FS, dir string) error {
	in, err := readInputs(files)
	if err != nil {
		return fmt.Errorf("report: %s: %w", dir, err)
	}
	if len(in.missing) == 3 {
		return fmt.Errorf("%w: %s: got none of %s, %s, %s, want at least one", ErrNotARun, dir, runName, metricsName, samplesName)
	}
	if err := pageTemplate.Execute(w, newPage(r, in)); err != nil {
		return fmt.Errorf("report: write: %w", err)
	}
	return nil
}

// inputs are the files of a run folder.
type inputs struct {
	run      runFile
	runFault error
	metrics  *metrics
	samples  *samples
	missing  []string // names of files that are absent
}

func readInputs(files fs.FS) (*inputs, error) {
	in := &inputs{metrics: &metrics{}, samples: &samples{every: 1}}
	for _, f := range []struct {
		name string
		read func(io.Reader) error
	}{
		{runName, in.readRun},
		{metricsName, func(r io.Reader) (err error) { in.metrics, err = readMetrics(r); return err }},
		{samplesName, func(r io.Reader) (err error) { in.samples, err = readSamples(r); return err }},
	} {
		err := readFile(files, f.name, f.read)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			in.missing = append(in.missing, f.name)
		case err != nil:
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return in, nil
}

func readFile(files fs.FS, name string, read func(io.Reader) error) error {
	f, err := files.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(read(f), f.Close())
}

func (in *inputs) readRun(r io.Reader) error {
	raw, err := io.ReadAll(io.LimitReader(r, maxRunFile+1))
	if err != nil {
		return err
	}
	if len(raw) > maxRunFile {
		in.runFault = fmt.Errorf("run.json: got more than %d bytes", maxRunFile)
		return nil
	}
	in.run, in.runFault = readRunFile(raw)
	return nil
}
