package scratch

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// File is a file being written; tests put failing ones in its place.
type File interface {
	io.WriterAt
	Truncate(size int64) error
	Sync() error
	Close() error
}

// Create makes a new hidden file beside path, in the same folder so that
// it can be renamed. A process that is killed leaves it behind.
func Create(path string) (f File, name string, err error) {
	dir, base := filepath.Split(path)
	for i := 0; ; i++ {
		name = filepath.Join(dir, fmt.Sprintf(".%s.partial-%d-%d", base, os.Getpid(), i))
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if err == nil {
			return f, name, nil
		}
		if !errors.Is(err, fs.ErrExist) || i == 1000 {
			return nil, "", err
		}
	}
}

// Rename moves a finished scratch file to its name and forces the folder's
// entry to disk.
func Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(to))
}

func syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be synced there
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Remove deletes a file that may be gone already.
func Remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// WriteWhole writes a small file by way of a scratch file.
func WriteWhole(path string, data []byte) error {
	out, name, err := Create(path)
	if err != nil {
		return err
	}
	_, err = out.WriteAt(data, 0)
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err == nil {
		err = Rename(name, path)
	}
	if err != nil {
		return errors.Join(err, Remove(name))
	}
	return nil
}
