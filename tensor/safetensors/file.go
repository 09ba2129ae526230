package safetensors

import (
	"errors"
	"fmt"
	"iter"
	"maps"

	"github.com/posttrain/posttrain/tensor/internal/mapped"
)

// ErrNotFound says that a file or folder has no such tensor.
var ErrNotFound = errors.New("not found")

// ErrChanged says that a file lost bytes while it was open.
var ErrChanged = mapped.ErrChanged

// ErrClosed says that a file was used after Close.
var ErrClosed = mapped.ErrClosed

// File is one open safetensors file. Its methods may be called from several
// goroutines at once.
type File struct {
	file     *mapped.File
	data     int64 // where tensor data starts
	tensors  []Tensor
	byName   map[string]int
	metadata map[string]string
}

// Open opens the file at path and reads its header; tensor data stays on disk
// until it is asked for.
func Open(path string) (*File, error) {
	m, err := mapped.Open(path)
	if err != nil {
		return nil, fmt.Errorf("safetensors: open: %w", err)
	}
	return load(m)
}

// Parse reads a file that is in memory. The name stands for a path in messages.
// The bytes must not change while the File is in use.
func Parse(name string, data []byte) (*File, error) { return load(mapped.Memory(name, data)) }

func load(m *mapped.File) (*File, error) {
	f := &File{file: m}
	if err := m.Guard(f.parse); err != nil {
		return nil, errors.Join(fmt.Errorf("safetensors: %s: %w", m.Name(), err), m.Close())
	}
	return f, nil
}

// Close releases the file. Its tensors cannot be read afterwards, and windows
// that [Tensor.Bytes] returned must not be touched.
func (f *File) Close() error { return f.file.Close() }

// Name is the path or name the file was opened with.
func (f *File) Name() string { return f.file.Name() }

// Len is the count of tensors.
func (f *File) Len() int { return len(f.tensors) }

// Metadata returns a copy of the file's metadata, nil when it has none.
func (f *File) Metadata() map[string]string { return maps.Clone(f.metadata) }

// Tensors yields name and tensor in the order of their data in the file.
func (f *File) Tensors() iter.Seq2[string, Tensor] {
	return func(yield func(string, Tensor) bool) {
		for _, t := range f.tensors {
			if !yield(t.name, t) {
				return
			}
		}
	}
}

// Tensor returns the tensor of that name, or an error that wraps [ErrNotFound].
func (f *File) Tensor(name string) (Tensor, error) {
	i, ok := f.byName[name]
	if !ok {
		return Tensor{}, fmt.Errorf("safetensors: %s: tensor %q: %w among %d tensors", f.Name(), clip(name), ErrNotFound, f.Len())
	}
	return f.tensors[i], nil
}
