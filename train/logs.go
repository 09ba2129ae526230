package train

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/posttrain/posttrain/train/tensorboard"
)

// logs are the open log files of a run folder.
type logs struct {
	files  map[string]*logFile
	line   []byte
	events *tensorboard.Writer
}

// logFile is a file that only grows. What is written is in the system's hands at
// once: killing the process loses nothing.
type logFile struct {
	path string
	file appender
	size int64
}

// Write implements io.Writer.
func (f *logFile) Write(b []byte) (int, error) {
	n, err := f.file.Write(b)
	f.size += int64(n)
	if err != nil {
		err = fmt.Errorf("train: run folder: %w", err)
	}
	return n, err
}

// openLogs opens the log files of a prepared folder.
func (f *folder) openLogs() (*logs, error) {
	l := &logs{files: map[string]*logFile{}}
	events := ""
	for name := range f.lengths {
		if strings.HasPrefix(name, eventsPattern) {
			events = name
		}
	}
	if events == "" {
		host, _ := os.Hostname() // a name for people; "" will do
		events = tensorboard.FileName(time.Now().Unix(), host)
	}
	for _, name := range []string{metricsName, samplesName, events} {
		file, err := f.disk.Append(f.path(name))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("train: run folder: %w", err), l.close())
		}
		l.files[name] = &logFile{f.path(name), file, f.lengths[name]}
	}
	l.events = tensorboard.Continue(l.files[events])
	if f.lengths[events] == 0 {
		l.events = tensorboard.NewWriter(l.files[events], seconds(time.Now()))
	}
	return l, nil
}

func seconds(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }

// write appends an event to metrics.jsonl or samples.jsonl and to the event file.
func (l *logs) write(e Event) error {
	name, group := metricsName, "train/"
	switch e.Kind {
	case EventSample:
		name = samplesName
	case EventEval:
		group = "eval/"
	case EventStep:
	default:
		return nil
	}
	l.line = append(e.AppendJSON(l.line[:0]), '\n')
	if _, err := l.files[name].Write(l.line); err != nil {
		return err
	}
	wall := seconds(time.Now())
	for _, m := range []*Metrics{e.Metrics, e.Timing} {
		if m != nil {
			l.scalars(m, group, int64(e.Step), wall)
		}
	}
	if s := e.Sample; s != nil {
		l.events.Text("samples", int64(e.Step), wall, "**"+s.Prompt+"**\n\n"+s.Completion)
	}
	return l.events.Flush()
}

// scalars adds metrics to the event file as TensorBoard users know them from the
// Hugging Face Trainer: train/loss, eval/loss.
func (l *logs) scalars(m *Metrics, group string, step int64, wall float64) {
	for _, i := range m.order {
		s := &m.slots[i]
		if s.tag == "" {
			s.tag = group + strings.TrimPrefix(s.name, evalPrefix)
		}
		l.events.Scalar(s.tag, step, wall, s.value())
	}
}

// sync forces everything to disk.
func (l *logs) sync() error {
	for _, f := range l.files {
		if err := f.file.Sync(); err != nil {
			return fmt.Errorf("train: run folder: %w", err)
		}
	}
	return nil
}

// close closes all files.
func (l *logs) close() error {
	var faults []error
	for _, f := range l.files {
		if err := f.file.Close(); err != nil {
			faults = append(faults, fmt.Errorf("train: run folder: %w", err))
		}
	}
	return errors.Join(faults...)
}

// lengths are the sizes at present.
func (l *logs) lengths() map[string]int64 {
	all := map[string]int64{}
	for name, f := range l.files {
		all[name] = f.size
	}
	return all
}
