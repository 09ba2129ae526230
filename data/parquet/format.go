package parquet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/posttrain/posttrain/data"
)

// Format makes package data read Parquet files. The zero value is ready for use.
type Format struct {
	// MaxPageBytes bounds a page, decompressed (default 64 MiB; writers make
	// pages of about one).
	MaxPageBytes int64
	// MaxBytes bounds the pages under way together, one of each column with its
	// dictionary (default 256 MiB).
	MaxBytes int64
	// MaxFooterBytes bounds the description at the end of a file (default 32
	// MiB).
	MaxFooterBytes int64
	// RowsPerBlock is the number of rows in a block of files that have an offset
	// index (default 1024).
	RowsPerBlock int
}

// Validate reports every field that makes no sense.
func (f Format) Validate() error {
	if f.MaxPageBytes < 0 || f.MaxBytes < 0 || f.MaxFooterBytes < 0 || f.RowsPerBlock < 0 {
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
	if f.MaxBytes == 0 {
		f.MaxBytes = 256 << 20
	}
	if f.MaxFooterBytes == 0 {
		f.MaxFooterBytes = 32 << 20
	}
	if f.RowsPerBlock == 0 {
		f.RowsPerBlock = 1024
	}
	t := &table{file: file, format: f, max: opts.MaxRowBytes}
	raw, err := f.footer(file)
	if err == nil {
		err = t.plan(raw, opts.MaxColumns)
	}
	if err != nil {
		return nil, fault(file.Label, 0, err)
	}
	return t, nil
}

// footer reads the bytes of the file's description.
func (f Format) footer(file data.File) ([]byte, error) {
	const frame = int64(len(magic)) + 8 // magic; length and magic
	if file.Size < frame {
		return nil, fmt.Errorf("got %d bytes, want a Parquet file", file.Size)
	}
	var head [4]byte
	var tail [8]byte
	if err := readFull(file, head[:], 0); err != nil {
		return nil, err
	}
	if err := readFull(file, tail[:], file.Size-8); err != nil {
		return nil, err
	}
	for _, m := range [...]string{string(head[:]), string(tail[4:])} {
		switch m {
		case magic:
		case encrypted:
			return nil, errors.New("got an encrypted file, want a plain one")
		default:
			return nil, fmt.Errorf("got %q at an end of the file, want %s", m, magic)
		}
	}
	size := int64(binary.LittleEndian.Uint32(tail[:4]))
	if size > file.Size-frame || size > f.MaxFooterBytes {
		return nil, fmt.Errorf("got a footer of %d bytes, want at most the %d of the file and %d (Format.MaxFooterBytes)", size, file.Size-frame, f.MaxFooterBytes)
	}
	raw := make([]byte, size)
	if err := readFull(file, raw, file.Size-8-size); err != nil {
		return nil, err
	}
	return raw, nil
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

// fault is err with its place; row 0 is the file as a whole.
func fault(label string, row int, err error) error {
	return fmt.Errorf("data: %s: %w", data.Place{File: label, Line: max(row, 1)}, err)
}
