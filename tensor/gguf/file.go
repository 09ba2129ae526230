package gguf

import (
	"errors"
	"fmt"
	"iter"

	"github.com/posttrain/posttrain/tensor/internal/mapped"
)

// ErrNotFound says that a file has no such key or tensor.
var ErrNotFound = errors.New("not found")

// ErrWrongType says that a metadata value is not of the kind asked for.
var ErrWrongType = errors.New("wrong type")

// ErrChanged says that a file lost bytes while it was open.
var ErrChanged = mapped.ErrChanged

// ErrClosed says that a file was used after Close.
var ErrClosed = mapped.ErrClosed

// File is an open model: one file, or all parts of a split one. Its methods may
// be called from several goroutines at once.
type File struct {
	parts   []*part
	tensors []Tensor
	byName  map[string]int
}

// Open opens the model at path. The first part of a split model
// ("name-00001-of-00003.gguf") opens all its parts, which must lie beside it.
// Only descriptions are read; tensor data stays on disk until it is asked for.
func Open(path string) (*File, error) {
	m, err := mapped.Open(path)
	if err != nil {
		return nil, fmt.Errorf("gguf: open: %w", err)
	}
	return load(m, mapped.Open)
}

// Parse reads a model of one part from memory. The name stands for a path in
// messages. The bytes must not change while the File is in use.
func Parse(name string, data []byte) (*File, error) {
	return load(mapped.Memory(name, data), nil)
}

// load parses the first part and, with openPart, the others; on error it closes
// what it opened.
func load(m *mapped.File, openPart func(string) (*mapped.File, error)) (*File, error) {
	f := &File{}
	err := f.add(m)
	if err == nil {
		err = f.addSplits(openPart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// add parses one part and appends it.
func (f *File) add(m *mapped.File) error {
	var p *part
	err := m.Guard(func() (err error) {
		p, err = parsePart(m)
		return err
	})
	if err != nil {
		return errors.Join(fmt.Errorf("gguf: %s: %w", m.Name(), err), m.Close())
	}
	f.parts = append(f.parts, p)
	if f.tensors == nil {
		f.tensors, f.byName = p.tensors[:0], make(map[string]int, len(p.tensors))
	}
	for _, t := range p.tensors {
		if i, ok := f.byName[t.name]; ok {
			return fmt.Errorf("gguf: %s: tensor %q: got the name twice, also in %s", m.Name(), t.name, f.tensors[i].file.Name())
		}
		f.byName[t.name] = len(f.tensors)
		f.tensors = append(f.tensors, t)
	}
	p.tensors = nil
	return nil
}

// Close releases the file. Tensors and metadata arrays cannot be read afterwards.
func (f *File) Close() error {
	var errs []error
	for _, p := range f.parts {
		errs = append(errs, p.file.Close())
	}
	return errors.Join(errs...)
}

// Name is the path or name the model was opened with.
func (f *File) Name() string { return f.parts[0].file.Name() }

// Version is the format version, 2 or 3.
func (f *File) Version() int { return int(f.parts[0].version) }

// Parts is the count of files the model is split into, 1 for most.
func (f *File) Parts() int { return len(f.parts) }

// Len is the count of tensors.
func (f *File) Len() int { return len(f.tensors) }

// Tensors yields name and tensor in file order, part after part.
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
		return Tensor{}, fmt.Errorf("gguf: %s: tensor %q: %w among %d tensors", f.Name(), name, ErrNotFound, f.Len())
	}
	return f.tensors[i], nil
}
