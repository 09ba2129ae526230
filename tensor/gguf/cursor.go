package gguf

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/posttrain/posttrain/tensor/internal/mapped"
)

// windowBytes is how much a cursor asks of a file at a time; where the file is
// mapped a window costs nothing.
const windowBytes = 1 << 20

// cursor reads a file front to back. Every length is checked against the bytes
// that are left before anything is allocated for it.
type cursor struct {
	file   *mapped.File
	pos    int64
	window []byte // the bytes from start
	start  int64
	walked uint64 // strings and inner arrays so far
}

func (c *cursor) left() uint64 { return uint64(c.file.Size() - c.pos) }

// take returns the next n bytes; they are valid until the file is closed.
func (c *cursor) take(n uint64) ([]byte, error) {
	if n > c.left() {
		return nil, fmt.Errorf("offset %d: %w: got %d bytes, want %d", c.pos, io.ErrUnexpectedEOF, c.left(), n)
	}
	size := int64(n)
	if c.pos+size > c.start+int64(len(c.window)) {
		w, err := c.file.Section(c.pos, max(size, min(windowBytes, c.file.Size()-c.pos)))
		if err != nil {
			return nil, err
		}
		c.window, c.start = w, c.pos
	}
	b := c.window[c.pos-c.start:][:size:size]
	c.pos += size
	return b, nil
}

func (c *cursor) skip(n uint64) error {
	if n > c.left() {
		return fmt.Errorf("offset %d: %w: got %d bytes, want %d", c.pos, io.ErrUnexpectedEOF, c.left(), n)
	}
	c.pos += int64(n)
	if c.pos > c.start+int64(len(c.window)) {
		c.window, c.start = nil, c.pos
	}
	return nil
}

func (c *cursor) uint32() (uint32, error) {
	b, err := c.take(4)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(b), nil
}

func (c *cursor) uint64() (uint64, error) {
	b, err := c.take(8)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b), nil
}

// text reads a string of at most limit bytes and copies it.
func (c *cursor) text(what string, limit uint64) (string, error) {
	n, err := c.uint64()
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	if n > limit {
		return "", fmt.Errorf("%s: got %d bytes, want at most %d", what, n, limit)
	}
	b, err := c.take(n)
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	return string(b), nil
}
