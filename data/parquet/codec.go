package parquet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

// Compression codecs (parquet.thrift, CompressionCodec).
const (
	codecNone   = 0
	codecSnappy = 1
	codecGzip   = 2
	codecZstd   = 6
	codecLZ4    = 7 // blocks without a frame
)

var codecNames = [...]string{"none", "snappy", "gzip", "LZO", "brotli", "LZ4 (Hadoop's)", "zstd", "LZ4_RAW"}

// checkCodec refuses what cannot be read by name.
func checkCodec(codec int64) error {
	switch codec {
	case codecNone, codecSnappy, codecGzip, codecZstd, codecLZ4:
		return nil
	}
	name := fmt.Sprintf("codec %d", codec)
	if codec >= 0 && codec < int64(len(codecNames)) {
		name = codecNames[codec]
	}
	return fmt.Errorf("got pages compressed with %s, want zstd, snappy, gzip, LZ4_RAW or none (write the file anew with one of them)", name)
}

// unpacker decompresses pages into memory of the size that their headers say, and
// never writes more.
type unpacker struct {
	gzip *gzip.Reader
	zstd *zstd.Decoder
}

// unpack fills dst from src.
func (u *unpacker) unpack(codec int64, dst, src []byte) error {
	if len(dst) == 0 { // pages of nulls: what an empty text is compressed to
		return nil
	}
	var n int
	var err error
	switch codec {
	case codecSnappy:
		if n, err = snappy.DecodedLen(src); err == nil && n == len(dst) {
			_, err = snappy.Decode(dst, src)
		}
	case codecGzip:
		n, err = u.gunzip(dst, src)
	case codecZstd:
		n, err = u.unzstd(dst, src)
	case codecLZ4:
		n, err = unlz4(dst, src)
	}
	if err == nil && n != len(dst) {
		err = fmt.Errorf("got %d bytes", n)
	}
	if err != nil {
		return fmt.Errorf("decompressing to %d bytes with %s: %w", len(dst), codecNames[codec], err)
	}
	return nil
}

// gunzip returns the bytes there are, at most one more than dst has room for.
func (u *unpacker) gunzip(dst, src []byte) (int, error) {
	if u.gzip == nil {
		u.gzip = new(gzip.Reader)
	}
	if err := u.gzip.Reset(bytes.NewReader(src)); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(u.gzip, dst)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) && n < len(dst) {
		return n, io.ErrUnexpectedEOF
	}
	if err != nil {
		return n, err
	}
	more, err := io.ReadFull(u.gzip, make([]byte, 1)) // to the checksum
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n + more, err
}

func (u *unpacker) unzstd(dst, src []byte) (int, error) {
	if u.zstd == nil {
		// Decoding stops where dst is full.
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			return 0, err
		}
		u.zstd = d
	}
	out, err := u.zstd.DecodeAll(src, dst[:0:len(dst)])
	return len(out), err
}

func (u *unpacker) close() {
	if u.zstd != nil {
		u.zstd.Close()
	}
	*u = unpacker{}
}

// errLZ4 is about blocks that contradict themselves.
var errLZ4 = errors.New("got a broken block")

// unlz4 decodes a block (lz4_Block_format.md): literals, then a copy of what was
// written before, and again; the last sequence has literals only.
func unlz4(dst, src []byte) (int, error) {
	n := 0
	for len(src) > 0 {
		token := src[0]
		src = src[1:]
		var count int
		var ok bool
		if count, src, ok = lz4Length(int(token>>4), src); !ok || count > len(src) || count > len(dst)-n {
			return n, errLZ4
		}
		n += copy(dst[n:], src[:count])
		if src = src[count:]; len(src) == 0 {
			return n, nil
		}
		if len(src) < 2 {
			return n, errLZ4
		}
		offset := int(binary.LittleEndian.Uint16(src))
		if count, src, ok = lz4Length(int(token&0xf), src[2:]); !ok {
			return n, errLZ4
		}
		if count += 4; offset == 0 || offset > n || count > len(dst)-n {
			return n, errLZ4
		}
		for range count { // source and target may overlap
			dst[n] = dst[n-offset]
			n++
		}
	}
	return n, errLZ4
}

// lz4Length reads on a length of which four bits were in the token.
func lz4Length(n int, src []byte) (int, []byte, bool) {
	if n < 15 {
		return n, src, true
	}
	for i, b := range src {
		n += int(b)
		if b < 255 {
			return n, src[i+1:], true
		}
	}
	return 0, nil, false
}
