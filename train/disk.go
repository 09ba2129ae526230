package train

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// disk is every change to files that the run folder makes by itself; tests put
// failing ones in its place. What Stage.SaveWeights writes does not pass here.
type disk interface {
	// MkdirAll makes a folder with its parents.
	MkdirAll(dir string) error
	// WriteFile makes or replaces a file and forces it to disk.
	WriteFile(path string, data []byte) error
	// Append opens a file to write at its end, making it if there is none.
	Append(path string) (appender, error)
	// Truncate cuts a file to size bytes.
	Truncate(path string, size int64) error
	// Sync forces a file or the entries of a folder to disk.
	Sync(path string) error
	// Rename gives a file or folder another name, atomically, and forces the
	// name to disk. A file there is replaced.
	Rename(from, to string) error
	// RemoveAll removes a file or a folder with everything in it.
	RemoveAll(path string) error
}

// appender is a log file.
type appender interface {
	io.Writer
	Sync() error
	Close() error
}

// osDisk is the real one.
type osDisk struct{}

func (osDisk) MkdirAll(dir string) error { return os.MkdirAll(dir, 0o777) }

func (osDisk) WriteFile(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func (osDisk) Append(path string) (appender, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return nil, err // a nil *os.File must not become an appender
	}
	return f, nil
}

func (osDisk) Truncate(path string, size int64) error { return os.Truncate(path, size) }

func (osDisk) Sync(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	err = f.Sync()
	if runtime.GOOS == "windows" {
		err = nil // neither folders nor files opened for reading can be synced there
	}
	return errors.Join(err, f.Close())
}

func (d osDisk) Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return d.Sync(filepath.Dir(to))
}

func (osDisk) RemoveAll(path string) error { return os.RemoveAll(path) }

// replaceFile writes a file so that readers see the old one or the new one.
func replaceFile(d disk, path string, data []byte) error {
	dir, name := filepath.Split(path)
	scratch := filepath.Join(dir, scratchPrefix+name)
	if err := d.WriteFile(scratch, data); err != nil {
		return err
	}
	return d.Rename(scratch, path)
}

// scratchPrefix marks what was not finished.
const scratchPrefix = ".partial-"
