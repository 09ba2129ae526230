package data_test

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/data"
)

// hugeRow is the length of a line of a hugeFile.
const hugeRow = 512

// hugeFile is a JSON Lines file that is computed as it is read.
type hugeFile struct {
	size int64
	read *int64
}

func (h hugeFile) Open(string) (fs.File, error) { return h, nil }
func (h hugeFile) Stat() (fs.FileInfo, error)   { return hugeInfo{h.size}, nil }
func (h hugeFile) Read([]byte) (int, error)     { return 0, io.ErrUnexpectedEOF }
func (h hugeFile) Close() error                 { return nil }
func (h hugeFile) ReadAt(p []byte, at int64) (n int, err error) {
	for n < len(p) && at < h.size {
		line := fmt.Appendf(nil, `{"prompt":"Question %d: `, at/hugeRow)
		end := []byte(`","completion":"yes"}` + "\n")
		line = append(line, bytes.Repeat([]byte{'x'}, hugeRow-len(line)-len(end))...)
		k := copy(p[n:], append(line, end...)[at%hugeRow:])
		n, at = n+k, at+int64(k)
	}
	*h.read += int64(n)
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}

type hugeInfo struct{ size int64 }

func (i hugeInfo) Name() string     { return "huge.jsonl" }
func (i hugeInfo) Size() int64      { return i.size }
func (hugeInfo) Mode() fs.FileMode  { return 0o444 }
func (hugeInfo) ModTime() time.Time { return time.Time{} }
func (hugeInfo) IsDir() bool        { return false }
func (hugeInfo) Sys() any           { return nil }

// Steps from the middle of a file of 10 GB take little memory and little reading.
func TestStreamOfAHugeFile(t *testing.T) {
	const memory = 150 << 20 // DESIGN: at most 300 MB beyond the model
	read := int64(0)
	files := hugeFile{size: 10_000_000_000 / hugeRow * hugeRow, read: &read}
	o := data.StreamOptions{Batch: data.BatchOptions{TokensPerStep: 16_000, Seed: 3}}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s := openStream(t, files, o, "huge.jsonl")
	blocks := int(files.size / (256 << 10))
	at := data.Cursor{Position: 5, Parts: []data.PartCursor{{Epoch: 1, Block: blocks / 2, Row: 17, Position: 5}}}
	require.NoError(t, s.Seek(at))
	var step data.Step
	var cursors []data.Cursor
	var texts [][]string
	for range 40 {
		require.NoError(t, s.Next(&step))
		cursors, texts = append(cursors, s.Cursor()), append(texts, segments(&step))
	}
	runtime.ReadMemStats(&after)
	assert.Less(t, after.HeapInuse-before.HeapInuse, uint64(memory))
	assert.Less(t, read, int64(64<<20))
	assert.InDelta(t, 1.5, step.Epoch, 0.01)

	resumed := openStream(t, files, o, "huge.jsonl")
	read = 0
	require.NoError(t, resumed.Seek(cursors[19]))
	for i := 20; i < 40; i++ {
		require.NoError(t, resumed.Next(&step))
		require.Equal(t, texts[i], segments(&step), "step %d", i)
	}
	assert.Less(t, read, int64(40<<20))
}
