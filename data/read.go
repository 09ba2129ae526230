package data

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
)

// Open returns the rows of a file as a Source: a JSON array or JSON Lines
// (found out from the content, not the name), plain, gzip or zstd (by content
// too). The file is opened anew for each walk, read as a stream, and closed at
// its end; nothing is opened before the first one. Memory: a few times
// MaxRowBytes at most.
//
// A byte order mark and blank lines are skipped. Everything else that is not a
// row of the file's shape is an [Error] with file and line: bad JSON, invalid
// UTF-8, lone surrogates, duplicate keys, wrong types, other columns than the
// first row's, rows and files over the limits, a file without rows.
func Open(path string, opts ReadOptions) (Source[Row], error) {
	return OpenFS(os.DirFS(filepath.Dir(path)), filepath.Base(path), path, opts)
}

// OpenFS is [Open] for a file of any file system. Errors call it label; ""
// means name.
func OpenFS(fsys fs.FS, name, label string, opts ReadOptions) (Source[Row], error) {
	label, open, err := opener(fsys, name, label, opts)
	if err != nil {
		return nil, err
	}
	return Limit[Row](examples(label, open, opts.withDefaults()), opts.Limit), nil
}

// opener checks what can be checked before the first walk.
func opener(fsys fs.FS, name, label string, opts ReadOptions) (string, func() (io.ReadCloser, error), error) {
	if label == "" {
		label = name
	}
	if err := opts.Validate(); err != nil {
		return label, nil, err
	}
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return label, nil, fmt.Errorf("data: %s: %w", label, err)
	}
	if info.IsDir() {
		return label, nil, fmt.Errorf("data: %s: got a folder, want a JSON or JSON Lines file", label)
	}
	return label, func() (io.ReadCloser, error) { return fsys.Open(name) }, nil
}

// openRows is Open for rows that read makes, each on its own.
func openRows[R any](fsys fs.FS, name, label string, opts ReadOptions, read func(*rowReader) R) (Source[R], error) {
	label, open, err := opener(fsys, name, label, opts)
	if err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	decode := func(raw []byte, at Place) (none R, err error) {
		r, err := newRowReader(raw, at, opts)
		if err != nil {
			return none, err
		}
		row := read(r)
		if r.err != nil {
			return none, r.err
		}
		return row, nil
	}
	return Limit[R](&file[R]{label: label, open: open, opts: opts, decoder: func() func([]byte, Place) (R, error) { return decode }}, opts.Limit), nil
}

// Read returns the rows of one stream; label stands for the file in errors. It
// is [Open] for text at hand, but can be walked only once.
func Read(r io.Reader, label string, opts ReadOptions) iter.Seq2[Row, error] {
	if err := opts.Validate(); err != nil {
		return func(yield func(Row, error) bool) { yield(Row{}, err) }
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(r), nil }
	return Limit[Row](examples(label, open, opts.withDefaults()), opts.Limit).All()
}

// file is the Source behind Open and OpenPairs.
type file[R any] struct {
	label string
	open  func() (io.ReadCloser, error)
	opts  ReadOptions
	// decoder starts what makes rows of one walk out of JSON texts.
	decoder func() func(raw []byte, at Place) (R, error)
}

// examples are the rows of a file of examples.
func examples(label string, open func() (io.ReadCloser, error), opts ReadOptions) *file[Row] {
	return &file[Row]{label: label, open: open, opts: opts, decoder: func() func([]byte, Place) (Row, error) {
		return (&decoder{opts: opts, shape: opts.Shape}).row
	}}
}

// All walks over the file once.
func (f *file[R]) All() iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		var none R
		stream, err := f.open()
		if err != nil {
			yield(none, fmt.Errorf("data: %s: %w", f.label, err))
			return
		}
		defer stream.Close()
		if err := f.walk(stream, yield); err != nil && !errors.Is(err, errStopped) {
			yield(none, err)
		}
	}
}

// errStopped ends a walk whose consumer has seen enough.
var errStopped = errors.New("stopped")

func (f *file[R]) walk(stream io.Reader, yield func(R, error) bool) error {
	plain, closePlain, err := decompress(stream, f.label, f.opts)
	if err != nil {
		return err
	}
	defer closePlain()
	split := newSplitter(plain, f.label, f.opts.MaxRowBytes)
	decode := f.decoder()
	rows := 0
	for {
		raw, line, err := split.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		row, err := decode(raw, Place{File: f.label, Line: line})
		if err != nil {
			return err
		}
		rows++
		if !yield(row, nil) {
			return errStopped
		}
	}
	if rows == 0 {
		return &Error{At: Place{File: f.label, Line: 1}, Got: "no rows", Want: "at least one JSON object"}
	}
	return nil
}
