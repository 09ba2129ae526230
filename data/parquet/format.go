package parquet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	pq "github.com/parquet-go/parquet-go"

	"github.com/posttrain/posttrain/data"
)

// Format makes package data read Parquet files. The zero value is ready for use.
type Format struct {
	// MaxPageBytes bounds a page, decompressed (default 64 MiB; writers make
	// pages of about one).
	MaxPageBytes int64
	// MaxFooterBytes bounds the description at the end of a file (default 32
	// MiB). In memory it can get a hundred times as large in the worst case.
	MaxFooterBytes int64
	// RowsPerBlock is the number of rows in a block of files that have an offset
	// index (default 1024).
	RowsPerBlock int
}

// Validate reports every field that makes no sense.
func (f Format) Validate() error {
	if f.MaxPageBytes < 0 || f.MaxFooterBytes < 0 || f.RowsPerBlock < 0 {
		return fmt.Errorf("parquet: Format: got %+v, want no negative number", f)
	}
	return nil
}

const (
	magic     = "PAR1"
	encrypted = "PARE"
)

// Match takes files that begin as Parquet files do or are named so.
func (Format) Match(name string, head []byte) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, ".parquet") || strings.HasSuffix(name, ".pq") ||
		bytes.HasPrefix(head, []byte(magic)) || bytes.HasPrefix(head, []byte(encrypted))
}

// Open reads the file's description.
func (f Format) Open(file data.File, opts data.ReadOptions) (data.Table, error) {
	if err := f.Validate(); err != nil {
		return nil, err
	}
	if f.MaxPageBytes == 0 {
		f.MaxPageBytes = 64 << 20
	}
	if f.MaxFooterBytes == 0 {
		f.MaxFooterBytes = 32 << 20
	}
	if f.RowsPerBlock == 0 {
		f.RowsPerBlock = 1024
	}
	if err := f.checkFooter(file); err != nil {
		return nil, fault(file.Label, 0, err)
	}
	t := &table{file: file, format: f, max: opts.MaxRowBytes, checked: map[int]bool{}}
	err := guard(func() (err error) {
		t.open, err = pq.OpenFile(file, file.Size, pq.SkipPageIndex(true), pq.SkipBloomFilters(true))
		return err
	})
	if err == nil {
		err = t.plan(opts.MaxColumns)
	}
	if err != nil {
		return nil, fault(file.Label, 0, err)
	}
	return t, nil
}

// checkFooter makes sure that the description has the length it says and hangs
// together.
func (f Format) checkFooter(file data.File) error {
	const frame = int64(len(magic)) + 8 // magic; length and magic
	if file.Size < frame {
		return fmt.Errorf("got %d bytes, want a Parquet file", file.Size)
	}
	var head [4]byte
	var tail [8]byte
	if err := readFull(file, head[:], 0); err != nil {
		return err
	}
	if err := readFull(file, tail[:], file.Size-8); err != nil {
		return err
	}
	for _, m := range [...]string{string(head[:]), string(tail[4:])} {
		switch m {
		case magic:
		case encrypted:
			return errors.New("got an encrypted file, want a plain one")
		default:
			return fmt.Errorf("got %q at an end of the file, want %s", m, magic)
		}
	}
	size := int64(binary.LittleEndian.Uint32(tail[:4]))
	if size > file.Size-frame || size > f.MaxFooterBytes {
		return fmt.Errorf("got a footer of %d bytes, want at most the %d of the file and %d (Format.MaxFooterBytes)", size, file.Size-frame, f.MaxFooterBytes)
	}
	raw := make([]byte, size)
	if err := readFull(file, raw, file.Size-8-size); err != nil {
		return err
	}
	if n, err := checkStruct(raw, nil); err != nil {
		return fmt.Errorf("footer: %w", err)
	} else if n != len(raw) {
		return fmt.Errorf("footer: got %d bytes after its end, want none", len(raw)-n)
	}
	return nil
}

func readFull(r io.ReaderAt, p []byte, at int64) error {
	if at < 0 {
		return io.ErrUnexpectedEOF
	}
	n, err := r.ReadAt(p, at)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("reading %d bytes at %d: %w", len(p), at, err)
}

// guard calls f and turns a panic of the library, which corrupt files can cause,
// into an error.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("corrupt data: %v", r)
		}
	}()
	return f()
}

// fault is err with its place; row 0 is the file as a whole.
func fault(label string, row int, err error) error {
	return fmt.Errorf("data: %s: %w", data.Place{File: label, Line: max(row, 1)}, err)
}
