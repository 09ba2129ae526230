package data

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// ErrTooLarge is reported when a file decompresses to more than ReadOptions
// allow.
var ErrTooLarge = errors.New("decompressed data over the limit")

var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// foreign are the first bytes of files that people pass by mistake.
var foreign = map[string]string{
	"PAR1": "a Parquet file", "PK\x03\x04": "a zip archive", "BZh": "a bzip2 file",
	"\xfd7zXZ": "an xz file", "ARROW": "an Arrow file", "\xff\xfe": "UTF-16 text", "\xfe\xff": "UTF-16 text",
}

// ratioFrom is the decompressed size at which MaxRatio begins to count: small
// files of one repeated row are no attack.
const ratioFrom = 64 << 20

// decompress looks at the first bytes of r and undoes gzip or zstd.
func decompress(r io.Reader, label string, opts ReadOptions) (io.Reader, func(), error) {
	raw := &countingReader{r: r}
	in := bufio.NewReaderSize(raw, 64<<10)
	magic, err := in.Peek(5)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("data: %s: %w", label, err)
	}
	for start, what := range foreign {
		if bytes.HasPrefix(magic, []byte(start)) {
			return nil, nil, fmt.Errorf("data: %s: got %s, want JSON, JSON Lines, CSV or TSV, plain or compressed with gzip or zstd (ReadOptions.Formats adds others)", label, what)
		}
	}
	bound := &boundedReader{raw: raw, label: label, opts: opts}
	closer := func() {}
	switch {
	case bytes.HasPrefix(magic, gzipMagic):
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, nil, fmt.Errorf("data: %s: gzip header: %w", label, err)
		}
		bound.r, bound.codec = z, "gzip"
	case bytes.HasPrefix(magic, zstdMagic):
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(uint64(max(opts.MaxWindow, zstd.MinWindowSize))))
		if err != nil {
			return nil, nil, fmt.Errorf("data: %s: zstd header: %w", label, err)
		}
		bound.r, bound.codec, closer = z, "zstd", z.Close
	default:
		bound.r = in
	}
	return bound, closer, nil
}

// countingReader counts the bytes of the file that were read.
type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// boundedReader ends with an error when too much comes out of a file.
type boundedReader struct {
	r     io.Reader
	raw   *countingReader
	label string
	codec string // "" = plain
	opts  ReadOptions
	n     int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.n += int64(n)
	if b.n > b.opts.MaxBytes {
		return 0, fmt.Errorf("data: %s: %w: got more than %d bytes at byte %d of the file, want at most that (ReadOptions.MaxBytes)",
			b.label, ErrTooLarge, b.opts.MaxBytes, b.raw.n)
	}
	if b.codec != "" && b.n > ratioFrom && b.n/b.opts.MaxRatio > b.raw.n {
		return 0, fmt.Errorf("data: %s: %w: got %d bytes from the first %d of the file, want at most %d times as many (ReadOptions.MaxRatio)",
			b.label, ErrTooLarge, b.n, b.raw.n, b.opts.MaxRatio)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		what := "reading"
		if b.codec != "" {
			what = b.codec + " data"
		}
		return n, fmt.Errorf("data: %s: %s around byte %d: %w", b.label, what, b.raw.n, err)
	}
	return n, err
}
