package data

import (
	"errors"
	"io"
	"io/fs"
)

// Format reads one kind of data file that is not built in. It reaches a reader by
// value, in [ReadOptions], so that only programs that name it link it; package
// data/parquet has one.
type Format interface {
	// Match says from a file's name and first bytes whether it is of the format.
	// head is empty where only the name is known, as in a listing of a folder.
	Match(name string, head []byte) bool
	// Open opens a file that matched. It checks what it can without reading rows
	// and keeps to the limits of opts.
	Open(f File, opts ReadOptions) (Table, error)
}

// File is a file for a [Format] to read.
type File struct {
	io.ReaderAt
	Size  int64
	Label string // what errors call it
}

// Table is an open file of rows, cut into blocks that can be read in any order.
// Together, in order, they hold every row once. The cut depends on the file and
// the options alone. A table reads one block at a time and is closed before its
// file.
type Table interface {
	Blocks() int
	// Block returns the rows of block i, from 0 on.
	Block(i int) (Records, error)
	io.Closer
}

// Records are rows one after the other.
type Records interface {
	// Next returns the next row as one JSON object, valid until the next call,
	// and its place; [io.EOF] after the last one.
	Next() (raw []byte, at Place, err error)
	io.Closer
}

// Skipper is implemented by [Records] that can move over rows faster than by
// reading them.
type Skipper interface {
	// Skip moves over n rows, or to the end of the block when there are fewer.
	Skip(n int) error
}

// headBytes is how much of a file a Format sees to tell what it is.
const headBytes = 16

// match returns the format of a file among those of the options, or nil.
func (o ReadOptions) match(name string, stream io.Reader) Format {
	var head []byte
	if at, ok := stream.(io.ReaderAt); ok && len(o.Formats) > 0 {
		buf := make([]byte, headBytes)
		n, err := at.ReadAt(buf, 0)
		if err == nil || errors.Is(err, io.EOF) {
			head = buf[:n]
		}
	}
	for _, f := range o.Formats {
		if f.Match(name, head) {
			return f
		}
	}
	return nil
}

// openFormat opens a file with the format it matched.
func openFormat(f Format, stream io.Reader, label string, opts ReadOptions) (Table, error) {
	at, random := stream.(io.ReaderAt)
	file, ok := stream.(fs.File)
	if !random || !ok {
		return nil, &Error{At: Place{File: label}, Got: "a stream", Want: "a file with random access for this format"}
	}
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	return f.Open(File{ReaderAt: at, Size: info.Size(), Label: label}, opts)
}

// tableRecords are all rows of a table.
type tableRecords struct {
	table Table
	block int
	open  Records
}

func (t *tableRecords) Next() ([]byte, Place, error) {
	for {
		if t.open == nil {
			if t.block >= t.table.Blocks() {
				return nil, Place{}, io.EOF
			}
			var err error
			if t.open, err = t.table.Block(t.block); err != nil {
				return nil, Place{}, err
			}
			t.block++
		}
		raw, at, err := t.open.Next()
		if !errors.Is(err, io.EOF) {
			return raw, at, err
		}
		if err := t.closeBlock(); err != nil {
			return nil, Place{}, err
		}
	}
}

func (t *tableRecords) closeBlock() error {
	if t.open == nil {
		return nil
	}
	err := t.open.Close()
	t.open = nil
	return err
}

func (t *tableRecords) Close() error { return errors.Join(t.closeBlock(), t.table.Close()) }
