package data

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// table opens the file as a table. JSON Lines files that are not compressed are
// cut at every blockBytes bytes; what can only be read from its start is one
// block.
func (m member) table(opts ReadOptions, blockBytes int) (Table, error) {
	stream, err := m.open()
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", m.label, err)
	}
	table, err := m.tableOf(stream, opts, blockBytes)
	if err != nil || table == nil {
		stream.Close()
	}
	if err == nil && table == nil {
		return whole{m, opts}, nil
	}
	return table, err
}

// tableOf returns nil for a file without blocks.
func (m member) tableOf(stream io.ReadCloser, opts ReadOptions, blockBytes int) (Table, error) {
	if f := opts.match(m.label, stream); f != nil {
		table, err := openFormat(f, stream, m.label, opts)
		if err != nil {
			return nil, err
		}
		return ownedTable{table, stream}, nil
	}
	at, random := stream.(io.ReaderAt)
	file, ok := stream.(fs.File)
	if !random || !ok || delimiterOf(m.label, opts) != 0 {
		return nil, nil
	}
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", m.label, err)
	}
	head := make([]byte, 512)
	n, err := at.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("data: %s: %w", m.label, err)
	}
	if !bytes.HasPrefix(bytes.TrimLeft(bytes.TrimPrefix(head[:n], []byte("\xef\xbb\xbf")), " \t\r\n"), []byte("{")) {
		return nil, nil // compressed, a list, or nothing good: reading it tells
	}
	if info.Size() > opts.MaxBytes {
		return nil, fmt.Errorf("data: %s: %w: got %d bytes, want at most %d (ReadOptions.MaxBytes)", m.label, ErrTooLarge, info.Size(), opts.MaxBytes)
	}
	return &lineTable{file: at, close: stream, size: info.Size(), label: m.label, max: opts.MaxRowBytes, block: int64(blockBytes)}, nil
}

// ownedTable closes its file as well.
type ownedTable struct {
	Table
	file io.Closer
}

func (o ownedTable) Close() error { return errors.Join(o.Table.Close(), o.file.Close()) }

// whole is a file that is read from its start.
type whole struct {
	member
	opts ReadOptions
}

func (whole) Blocks() int                  { return 1 }
func (whole) Close() error                 { return nil }
func (w whole) Block(int) (Records, error) { return w.records(w.opts) }

// lineTable is a JSON Lines file. Block i holds the rows whose first byte is one
// of bytes i·block to (i+1)·block.
type lineTable struct {
	file  io.ReaderAt
	close io.Closer
	size  int64
	label string
	max   int
	block int64
}

func (t *lineTable) Blocks() int  { return int((t.size + t.block - 1) / t.block) }
func (t *lineTable) Close() error { return t.close.Close() }

func (t *lineTable) Block(i int) (Records, error) {
	start := int64(i) * t.block
	r := &lineRecords{end: min(start+t.block, t.size)}
	from := max(start-1, 0) // a line may end just before the block
	in := io.NewSectionReader(t.file, from, t.size-from)
	r.split = &splitter{in: bufio.NewReaderSize(in, int(min(bufferBytes, t.block))), label: t.label, max: t.max, started: true, read: from}
	if i == 0 {
		if mark, err := r.split.in.Peek(3); err == nil && bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
			if _, err := r.split.in.Discard(3); err != nil {
				return nil, err
			}
			r.split.read = 3
		}
		return r, nil
	}
	for r.split.read < r.end { // the line that began in an earlier block
		part, err := r.split.in.ReadSlice('\n')
		r.split.read += int64(len(part))
		switch {
		case err == nil:
			return r, nil
		case errors.Is(err, io.EOF):
			r.split.read = r.end
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("data: %s: reading around byte %d: %w", t.label, r.split.read, err)
		}
	}
	return r, nil
}

// lineRecords are the rows of a block of lines.
type lineRecords struct {
	split *splitter
	end   int64
}

func (r *lineRecords) Close() error { return nil }

func (r *lineRecords) Next() ([]byte, Place, error) {
	if r.split.read >= r.end {
		return nil, Place{}, io.EOF
	}
	raw, _, err := r.split.textLine()
	at := Place{File: r.split.label, Offset: r.split.begin}
	if r.split.begin == 0 {
		at.Line = 1
	}
	if err == nil && r.split.begin >= r.end { // blank lines led out of the block
		return nil, Place{}, io.EOF
	}
	var fault *Error
	if errors.As(err, &fault) {
		fault.At = at
	}
	return raw, at, err
}
