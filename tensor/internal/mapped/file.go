package mapped

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// ErrChanged says that a file lost bytes while it was open.
var ErrChanged = errors.New("the file shrank or could not be read while it was open")

// ErrClosed says that a file was used after Close.
var ErrClosed = errors.New("the file is closed")

// File is a read-only file or byte slice. Its methods may be called from
// several goroutines at once.
type File struct {
	name string
	size int64
	data []byte      // the mapping or the memory; nil when src is read instead
	src  io.ReaderAt // set when there is no mapping

	mu      sync.Mutex
	users   int
	closed  bool
	release func() error
}

// Open opens the regular file at path. Errors name the path.
func Open(path string) (*File, error) { return open(path, mapFile) }

// mapper maps size bytes of f; a nil slice means that the system cannot.
type mapper func(f *os.File, size int64) (data []byte, unmap func() error, err error)

func open(path string, mapTo mapper) (*File, error) {
	// Opening a named pipe would wait for a writer, so look first.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: got %s, want a regular file", path, kind(info.Mode()))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err = f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	m := &File{name: path, size: info.Size()}
	if m.size == 0 {
		m.data = []byte{}
		return m, f.Close()
	}
	data, unmap, err := mapTo(f, m.size)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: map %d bytes: %w", path, m.size, err), f.Close())
	}
	if data == nil {
		m.src, m.release = f, f.Close
		return m, nil
	}
	m.data, m.release = data, unmap
	return m, f.Close() // the mapping stays
}

func kind(m os.FileMode) string {
	if m.IsDir() {
		return "a folder"
	}
	return "a special file (" + m.Type().String() + ")"
}

// Memory wraps bytes that are in memory already; name is for messages.
func Memory(name string, data []byte) *File {
	if data == nil {
		data = []byte{}
	}
	return &File{name: name, size: int64(len(data)), data: data}
}

// Name is the path or name the file was opened with.
func (f *File) Name() string { return f.name }

// Size is the length in bytes when the file was opened.
func (f *File) Size() int64 { return f.size }

// Section returns n bytes from off: a window of the mapping without a copy, or
// fresh memory where nothing is mapped. Call it, and touch the result, inside
// Guard or Parallel.
func (f *File) Section(off, n int64) ([]byte, error) {
	if off < 0 || n < 0 || off > f.size-n {
		return nil, fmt.Errorf("bytes %d to %d: %w: the file has %d", off, off+n, io.ErrUnexpectedEOF, f.size)
	}
	if f.data != nil {
		return f.data[off : off+n : off+n], nil
	}
	b := make([]byte, n)
	if _, err := f.src.ReadAt(b, off); err != nil {
		if errors.Is(err, io.EOF) {
			err = ErrChanged
		}
		return nil, err
	}
	return b, nil
}

// Close releases the file. Closing twice is allowed.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	return f.free()
}

func (f *File) enter() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return ErrClosed
	}
	f.users++
	return nil
}

func (f *File) leave() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users--
	return f.free()
}

// free releases the mapping when nobody needs it any more; f.mu is held.
func (f *File) free() error {
	if !f.closed || f.users > 0 || f.release == nil {
		return nil
	}
	release := f.release
	f.release = nil
	return release()
}
