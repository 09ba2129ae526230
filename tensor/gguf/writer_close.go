package gguf

import (
	"errors"
	"fmt"
	"github.com/posttrain/posttrain/tensor/internal/scratch"
)

// Close checks that every tensor was written, forces the file to disk and gives
// it its name. On any failure the scratch file is removed and the error returned.
func (w *Writer) Close() error {
	if w.closed {
		return w.err
	}
	if err := w.seal(); err != nil {
		return err
	}
	if err := scratch.Rename(w.scratch, w.path); err != nil {
		w.err = fmt.Errorf("gguf: %w", err)
		return errors.Join(w.err, scratch.Remove(w.scratch))
	}
	return nil
}

// seal completes the scratch file and closes it.
func (w *Writer) seal() error {
	err := w.err
	if err == nil && w.left > 0 {
		err = fmt.Errorf("gguf: %s: got %d of %d tensors, first missing %q", w.path, len(w.places)-w.left, len(w.places), w.missing())
	}
	if err == nil {
		if err = w.out.Sync(); err != nil {
			err = fmt.Errorf("gguf: %s: sync: %w", w.path, err)
		}
	}
	if err != nil {
		w.err = err
		return errors.Join(err, w.Abort())
	}
	w.closed = true
	if err := w.out.Close(); err != nil {
		w.err = fmt.Errorf("gguf: %s: close: %w", w.path, err)
		return errors.Join(w.err, scratch.Remove(w.scratch))
	}
	return nil
}

func (w *Writer) missing() string {
	for _, p := range w.places {
		if !p.written {
			return p.Name
		}
	}
	return ""
}

// Abort gives up: it removes the scratch file and leaves an older file of the
// name as it was. After Close it does nothing, so it can be deferred.
func (w *Writer) Abort() error {
	if w.closed {
		return nil
	}
	w.closed = true
	return errors.Join(w.out.Close(), scratch.Remove(w.scratch))
}
