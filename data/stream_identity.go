package data

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"path/filepath"
)

// Of each file, samples of its start, its end and places between go into the
// fingerprint: reading 10 GB to find out whether they are the same is no option.
const (
	sampleBytes = 16 << 10
	sampleCount = 16
)

// Fingerprint identifies what the stream yields: the files (by name, size and
// samples of their bytes), the tokens of their first rows, weights and options. A
// change elsewhere in a file of the same size is not seen.
func (s *Stream) Fingerprint() string { return s.fingerprint }

// identify fixes the parts' shapes and makes the fingerprint.
func (s *Stream) identify() error {
	sum := sha256.New()
	rows := s.queue.workers[0].prepare
	for _, p := range s.parts {
		raw, at, err := p.firstRow()
		if err != nil {
			return err
		}
		d := &decoder{opts: s.opts.Read, shape: s.opts.Read.Shape}
		row, err := d.row(raw, at)
		if err != nil {
			return err
		}
		p.shape = row.Shape
		if _, _, err := rows.Example(row); err != nil {
			return err
		}
		fmt.Fprintf(sum, "part %v %v %v %d files\n", p.weight, p.shape, rows.example.IDs, len(p.files))
		for _, file := range p.files {
			if err := file.sample(sum); err != nil {
				return err
			}
		}
	}
	s.fingerprint = "files " + hex.EncodeToString(sum.Sum(nil)) + " in " + s.opts.identity()
	return nil
}

// sample hashes a file's name, size and some of its bytes.
func (m member) sample(sum hash.Hash) error {
	stream, err := m.open()
	if err != nil {
		return fmt.Errorf("data: %s: %w", m.label, err)
	}
	defer stream.Close()
	file, ok := stream.(fs.File)
	at, random := stream.(io.ReaderAt)
	if !ok || !random {
		fmt.Fprintf(sum, "file %q\n", path.Base(filepath.ToSlash(m.label)))
		return nil
	}
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("data: %s: %w", m.label, err)
	}
	fmt.Fprintf(sum, "file %q %d\n", path.Base(filepath.ToSlash(m.label)), info.Size())
	buf := make([]byte, sampleBytes)
	for i := range int64(sampleCount) {
		from := max(info.Size()-sampleBytes, 0) / (sampleCount - 1) * i
		n, err := at.ReadAt(buf, from)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("data: %s: %w", m.label, err)
		}
		if err := binary.Write(sum, binary.LittleEndian, from); err != nil {
			return err
		}
		sum.Write(buf[:n])
	}
	return nil
}
