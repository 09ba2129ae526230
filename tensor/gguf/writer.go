package gguf

import (
	"errors"
	"fmt"

	"github.com/posttrain/posttrain/tensor/internal/scratch"
)

// Info describes a tensor that is to be written. The shape is outermost first,
// as in [Tensor.Shape]; rows hold whole blocks of the type.
type Info struct {
	Name  string
	Type  Type
	Shape []int
}

// place is a tensor in a file that is being written.
type place struct {
	Info
	n, row int
	off    int64 // from the start of tensor data
	size   int64
}

// Writer writes one file, tensor by tensor, in any order. The file appears under
// its name only when [Writer.Close] succeeds; until then it is a scratch file
// beside it, so a reader never sees half a file and a failure leaves an older
// file of that name as it was. A Writer is for one goroutine.
type Writer struct {
	file   scratch.Parts
	start  int64 // of tensor data
	places []place
}

// Create starts the file at path with metadata and descriptions of tensors, whose
// data lies in the order given, each at a multiple of general.alignment (32 where
// the metadata does not say).
func Create(path string, metadata []Pair, tensors []Info) (*Writer, error) {
	return create(path, metadata, tensors, scratch.Create)
}

func create(path string, metadata []Pair, tensors []Info, open func(string) (scratch.File, string, error)) (*Writer, error) {
	places, err := measured(tensors)
	var head []byte
	var align int64
	if err == nil {
		head, align, err = header(places, metadata)
	}
	if err != nil {
		return nil, fmt.Errorf("gguf: create %s: %w", path, err)
	}
	w := &Writer{start: int64(len(head)), places: places}
	w.file = scratch.Parts{Format: "gguf", Path: path, ErrClosed: ErrClosed, ErrNotFound: ErrNotFound, Show: func(name string) string { return name }}
	size := w.start
	if n := len(places); n > 0 {
		end, _ := after(places[n-1].off, places[n-1].size, align) // measured by header
		size += end
	}
	names := make([]string, len(places))
	for i := range places {
		names[i] = places[i].Name
	}
	if err = w.file.Open(names, open); err != nil {
		return nil, fmt.Errorf("gguf: create: %w", err)
	}
	// Padding, the last tensor's too, is what no write touches: zeros.
	if err = w.file.Truncate(size); err == nil {
		err = w.file.WriteAt(head, 0)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("gguf: create %s: header: %w", path, err), w.Abort())
	}
	return w, nil
}

// measured checks the descriptions and computes sizes.
func measured(tensors []Info) ([]place, error) {
	if len(tensors) > maxTensors {
		return nil, fmt.Errorf("got %d tensors, want at most %d", len(tensors), maxTensors)
	}
	places, known := make([]place, len(tensors)), make(map[string]bool, len(tensors))
	for i, info := range tensors {
		if known[info.Name] {
			return nil, fmt.Errorf("tensor %q: got the name twice", info.Name)
		}
		known[info.Name] = true
		if info.Name == "" || len(info.Name) > maxName {
			return nil, fmt.Errorf("tensor %q: got a name of %d bytes, want 1 to %d", info.Name, len(info.Name), maxName)
		}
		if len(info.Shape) > maxRank {
			return nil, fmt.Errorf("tensor %q: got %d dimensions, want at most %d", info.Name, len(info.Shape), maxRank)
		}
		t := Tensor{name: info.Name, typ: info.Type}
		if err := info.Type.check(); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", info.Name, err)
		}
		dims := make([]uint64, len(info.Shape))
		for j, d := range info.Shape {
			if d < 0 {
				return nil, fmt.Errorf("tensor %q: got shape %d, want no negative dimension", info.Name, info.Shape)
			}
			dims[len(dims)-1-j] = uint64(d)
		}
		if err := t.measure(dims); err != nil {
			return nil, fmt.Errorf("tensor %w", err)
		}
		places[i] = place{Info: info, n: t.n, row: t.row, size: t.size}
	}
	return places, nil
}

// Write writes the bytes of a tensor as they lie in the file, all of them, once.
func (w *Writer) Write(name string, data []byte) error {
	p, err := w.begin(name)
	if err != nil {
		return err
	}
	if int64(len(data)) != p.size {
		return fmt.Errorf("gguf: %s: tensor %q: got %d bytes, want %d for shape %d of %s", w.file.Path, p.Name, len(data), p.size, p.Shape, p.Type)
	}
	return w.file.Finish(name, w.file.WriteAt(data, w.start+p.off))
}

// begin finds the place of a tensor that is still to be written.
func (w *Writer) begin(name string) (*place, error) {
	i, err := w.file.Begin(name)
	if err != nil {
		return nil, err
	}
	return &w.places[i], nil
}

// Close checks that every tensor was written, forces the file to disk and gives
// it its name. On any failure the scratch file is removed and the error returned.
func (w *Writer) Close() error { return w.file.Close() }

// Abort gives up: it removes the scratch file and leaves an older file of the
// name as it was. After Close it does nothing, so it can be deferred.
func (w *Writer) Abort() error { return w.file.Abort() }
