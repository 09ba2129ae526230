package data

import (
	"errors"
	"io"
	"io/fs"
	"iter"
)

// Open returns the rows of a file as a Source: a JSON array or JSON Lines
// (found out from the content, not the name), plain, gzip or zstd (by content
// too), CSV or TSV (by the name's ending; the first record names the columns),
// and whatever opts.Formats adds. A file is opened anew for each walk, read as a
// stream, and closed at its end; nothing is opened before the first one. Memory:
// a few times MaxRowBytes at most.
//
// The path of a folder stands for the data files below it, a pattern (*, ? and
// [a-z], as in [path.Match]) for the files it matches, both in order of their
// names; they are listed at once and read as if they were one file.
//
// A byte order mark and blank lines are skipped. Everything else that is not a
// row of the file's shape is an [Error] with file and line: bad JSON, invalid
// UTF-8, lone surrogates, duplicate keys, wrong types, other columns than the
// first row's, rows and files over the limits, files without rows.
func Open(path string, opts ReadOptions) (Source[Row], error) {
	fsys, name := root(path)
	return OpenFS(fsys, name, path, opts)
}

// OpenFS is [Open] for a file, folder or pattern of any file system. Errors call
// it label; "" means name.
func OpenFS(fsys fs.FS, name, label string, opts ReadOptions) (Source[Row], error) {
	list, err := members(fsys, name, label, opts)
	if err != nil {
		return nil, err
	}
	return Limit[Row](examples(list, opts.withDefaults()), opts.Limit), nil
}

// openRows is OpenFS for rows that read makes, each on its own.
func openRows[R any](fsys fs.FS, name, label string, opts ReadOptions, read func(*rowReader) R) (Source[R], error) {
	list, err := members(fsys, name, label, opts)
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
	return Limit[R](&walker[R]{files: list, opts: opts, decoder: func() func([]byte, Place) (R, error) { return decode }}, opts.Limit), nil
}

// Read returns the rows of one stream; label stands for the file in errors, and
// its ending tells CSV and TSV. It is [Open] for text at hand, but can be walked
// only once.
func Read(r io.Reader, label string, opts ReadOptions) iter.Seq2[Row, error] {
	if err := opts.Validate(); err != nil {
		return func(yield func(Row, error) bool) { yield(Row{}, err) }
	}
	one := member{label: label, open: func() (io.ReadCloser, error) { return io.NopCloser(r), nil }}
	return Limit[Row](examples([]member{one}, opts.withDefaults()), opts.Limit).All()
}

// walker is the Source behind Open and its siblings.
type walker[R any] struct {
	files []member
	opts  ReadOptions
	// decoder starts what makes rows of one walk out of JSON texts.
	decoder func() func(raw []byte, at Place) (R, error)
}

// examples are the rows of files of examples.
func examples(files []member, opts ReadOptions) *walker[Row] {
	return &walker[Row]{files: files, opts: opts, decoder: func() func([]byte, Place) (Row, error) {
		return (&decoder{opts: opts, shape: opts.Shape}).row
	}}
}

// All walks over the files once.
func (w *walker[R]) All() iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		decode := w.decoder()
		for _, file := range w.files {
			err := w.walk(file, decode, yield)
			if errors.Is(err, errStopped) {
				return
			}
			if err != nil {
				var none R
				yield(none, err)
				return
			}
		}
	}
}

// errStopped ends a walk whose consumer has seen enough.
var errStopped = errors.New("stopped")

func (w *walker[R]) walk(file member, decode func([]byte, Place) (R, error), yield func(R, error) bool) error {
	records, err := file.records(w.opts)
	if err != nil {
		return err
	}
	defer records.Close()
	for rows := 0; ; rows++ {
		raw, at, err := records.Next()
		if errors.Is(err, io.EOF) {
			if rows > 0 {
				return nil
			}
			return &Error{At: Place{File: file.label, Line: 1}, Got: "no rows", Want: "at least one JSON object"}
		}
		if err != nil {
			return err
		}
		row, err := decode(raw, at)
		if err != nil {
			return err
		}
		if !yield(row, nil) {
			return errStopped
		}
	}
}
