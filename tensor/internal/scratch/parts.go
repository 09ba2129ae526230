package scratch

import (
	"errors"
	"fmt"
	"io"
)

// Parts is a file of tensors that are written once each, in any order. It appears
// under its name only when Close, or Seal and Publish, succeed; until then it is a
// scratch file beside it, so a reader never sees half a file and a failure leaves an
// older file of that name as it was. It is for one goroutine, but for WriteAt.
type Parts struct {
	Format, Path           string // errors begin with them
	ErrClosed, ErrNotFound error
	Show                   func(name string) string // as errors name tensors

	out     File
	scratch string
	names   []string
	byName  map[string]int
	written []bool
	left    int   // tensors not yet written
	err     error // the first failure; everything fails after it
	closed  bool
}

// Open makes the scratch file with open for tensors of these names, which differ.
func (p *Parts) Open(names []string, open func(path string) (File, string, error)) (err error) {
	p.names, p.byName, p.written, p.left = names, make(map[string]int, len(names)), make([]bool, len(names)), len(names)
	for i, name := range names {
		p.byName[name] = i
	}
	p.out, p.scratch, err = open(p.Path)
	return err
}

// Truncate sets the size of the file.
func (p *Parts) Truncate(size int64) error { return p.out.Truncate(size) }

// WriteAt writes bytes, all of them.
func (p *Parts) WriteAt(b []byte, off int64) error {
	n, err := p.out.WriteAt(b, off)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
}

// Begin returns the number of a tensor that is still to be written.
func (p *Parts) Begin(name string) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	if p.closed {
		return 0, fmt.Errorf("%s: %s: tensor %q: %w", p.Format, p.Path, p.Show(name), p.ErrClosed)
	}
	i, ok := p.byName[name]
	if !ok {
		return 0, fmt.Errorf("%s: %s: tensor %q: %w among the %d of the header", p.Format, p.Path, p.Show(name), p.ErrNotFound, len(p.names))
	}
	if p.written[i] {
		return 0, fmt.Errorf("%s: %s: tensor %q: got it twice", p.Format, p.Path, p.Show(name))
	}
	return i, nil
}

// Finish marks a tensor as written, or with the error of WriteAt the file as failed.
func (p *Parts) Finish(name string, err error) error {
	if err != nil {
		p.err = fmt.Errorf("%s: %s: tensor %q: write: %w", p.Format, p.Path, p.Show(name), err)
		return p.err
	}
	p.written[p.byName[name]] = true
	p.left--
	return nil
}

// Close is Seal and Publish; once more it returns what failed first.
func (p *Parts) Close() error {
	if p.closed {
		return p.err
	}
	err := p.Seal()
	if err == nil {
		err = p.Publish()
	}
	return err
}

// Seal checks that every tensor was written, forces the scratch file to disk and
// closes it. On failure the scratch file is removed.
func (p *Parts) Seal() error {
	err := p.err
	if err == nil && p.left > 0 {
		err = fmt.Errorf("%s: %s: got %d of %d tensors, first missing %q", p.Format, p.Path, len(p.names)-p.left, len(p.names), p.Show(p.missing()))
	}
	if err == nil {
		if err = p.out.Sync(); err != nil {
			err = fmt.Errorf("%s: %s: sync: %w", p.Format, p.Path, err)
		}
	}
	if err != nil {
		p.err = err
		return errors.Join(err, p.Abort())
	}
	p.closed = true
	if err := p.out.Close(); err != nil {
		p.err = fmt.Errorf("%s: %s: close: %w", p.Format, p.Path, err)
		return errors.Join(p.err, p.Remove())
	}
	return nil
}

func (p *Parts) missing() string {
	for i, name := range p.names {
		if !p.written[i] {
			return name
		}
	}
	return ""
}

// Sealed says whether Seal succeeded.
func (p *Parts) Sealed() bool { return p.closed && p.err == nil }

// Publish gives a sealed file its name. On failure the scratch file is removed.
func (p *Parts) Publish() error {
	if err := Rename(p.scratch, p.Path); err != nil {
		p.err = fmt.Errorf("%s: %w", p.Format, err)
		return errors.Join(p.err, p.Remove())
	}
	return nil
}

// Remove deletes the scratch file of a sealed file.
func (p *Parts) Remove() error { return Remove(p.scratch) }

// Abort gives up: it removes the scratch file and leaves an older file of the name
// as it was. After Seal it does nothing.
func (p *Parts) Abort() error {
	if p.closed {
		return nil
	}
	p.closed = true
	return errors.Join(p.out.Close(), p.Remove())
}
