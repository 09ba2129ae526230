package safetensors

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fileOf puts the length before a header and data behind it.
func fileOf(header string, data []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}

func TestReadPartOfATensor(t *testing.T) {
	f, err := Parse("m", fileOf(`{"a":{"dtype":"I16","shape":[2,3],"data_offsets":[0,12]}}`, []byte{1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 0xff, 0xff}))
	require.NoError(t, err)
	x, err := f.Tensor("a")
	require.NoError(t, err)
	dst := make([]float32, 3)
	require.NoError(t, x.ReadFloat32(dst, 3))
	assert.Equal(t, []float32{4, 5, -1}, dst)
	assert.ErrorContains(t, x.ReadFloat32(dst, 4), "elements 4 to 7, want them below 6")
	assert.Error(t, x.ReadFloat32(dst, -1))
	assert.Error(t, x.ReadFloat32(make([]float32, 7), 0))
	_, err = f.Tensor("b")
	assert.ErrorIs(t, err, ErrNotFound)
	assert.EqualError(t, err, `safetensors: m: tensor "b": not found among 1 tensors`)
	require.NoError(t, f.Close())
	assert.ErrorIs(t, x.ReadFloat32(dst, 0), ErrClosed)
	_, err = Tensor{}.Float32()
	assert.Error(t, err)
	assert.Error(t, Tensor{}.View(nil))
}

func TestHeaderErrorsNameTheTensor(t *testing.T) {
	for header, want := range map[string]string{
		`{"w":{"dtype":"F31","shape":[],"data_offsets":[0,4]}}`:                                  `tensor "w": dtype: got dtype "F31"`,
		`{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`:                                 `tensor "w": got 4 bytes in data_offsets, want 8 for shape [2] of F32`,
		`{"w":{"dtype":"F32","shape":[],"data_offsets":[0,4],"x":[1e5,}}`:                        `tensor "w": byte 61: got '}', want a value`,
		`{"w":{"dtype":"F4","shape":[1],"data_offsets":[0,0]}}`:                                  "whole number of bytes",
		`{"w":{"dtype":"F32","shape":[` + strings.Repeat("1,", 64) + `1],"data_offsets":[0,4]}}`: "shape: got more than 64 numbers",
		`{"w":`:                              "unexpected end of JSON",
		`{"\ud800\u0041":1}`:                 "wrong escape",
		`{"a\`:                               "unexpected end of JSON",
		`{"w":{"shape":[01]}}`:               "want a whole number",
		`{"w":{"x":01}}`:                     "malformed number",
		`{"w":{"x":-}}`:                      "malformed number",
		`{"w":{"x":1.}}`:                     "malformed number",
		`{"w":{"x":tru}}`:                    "want a value",
		"{\"a\tb\":1}":                       "no control character",
		`{"__metadata__":{"a":"1","a":"2"}}`: `metadata "a": got the name twice`,
	} {
		_, err := Parse("m", fileOf(header, make([]byte, 4)))
		assert.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, "safetensors: m: header: ")
	}
}

func TestHints(t *testing.T) {
	for lead, want := range map[string]string{
		"version https://git-lfs.github.com/spec/v1": "Git LFS pointer", "PK\x03\x04aaaaaaaa": "pickle", "GGUF\x03aaaaaaa": "GGUF", "<html><body>": "web page",
	} {
		_, err := Parse("m", []byte(lead))
		assert.ErrorContains(t, err, want)
	}
	_, err := Open(t.TempDir())
	assert.ErrorContains(t, err, "got a folder")
}

// TestShrunkFileIsAnError cuts a file while it is mapped, for types that are
// read by Go code, by memmove and by assembly.
func TestShrunkFileIsAnError(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open file cannot be cut there")
	}
	for _, d := range []Dtype{F32, F16, BF16, F64, U8, F8E4M3} {
		t.Run(d.String(), func(t *testing.T) {
			const n = 1 << 20
			path := filepath.Join(t.TempDir(), "m.safetensors")
			w, err := Create(path, []Info{{"a", d, []int{n}}}, nil)
			require.NoError(t, err)
			require.NoError(t, w.Write("a", make([]byte, n*d.Bits()/8)))
			require.NoError(t, w.Close())
			f, err := Open(path)
			require.NoError(t, err)
			defer f.Close()
			x, err := f.Tensor("a")
			require.NoError(t, err)
			_, err = x.Float32()
			require.NoError(t, err)
			require.NoError(t, os.Truncate(path, 100_000))
			_, err = x.Float32()
			assert.ErrorIs(t, err, ErrChanged)
			assert.ErrorContains(t, err, path)
			assert.ErrorIs(t, x.View(func(b []byte) error { assert.Zero(t, sum(b)); return nil }), ErrChanged)
		})
	}
}

func sum(b []byte) (s int) {
	for _, v := range b {
		s += int(v)
	}
	return s
}

// TestSparseHostileFiles opens 50 GB of nothing behind hostile headers.
func TestSparseHostileFiles(t *testing.T) {
	const size = 50 << 30
	for name, head := range map[string][]byte{
		"long header": binary.LittleEndian.AppendUint64(nil, size-8),
		"short data":  fileOf(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, nil),
		"zero header": binary.LittleEndian.AppendUint64(nil, 100_000_000),
	} {
		path := filepath.Join(t.TempDir(), "m.safetensors")
		require.NoError(t, os.WriteFile(path, head, 0o600))
		if err := os.Truncate(path, size); err != nil {
			t.Skip("no sparse files here: ", err)
		}
		start := time.Now()
		allocated := allocatedBy(func() {
			_, err := Open(path)
			require.Error(t, err, name)
			t.Log(err)
		})
		assert.Less(t, allocated, uint64(64<<20))
		assert.Less(t, time.Since(start), 5*time.Second) // far above what it takes, for machines under load
	}
}

func allocatedBy(fn func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestParsingMemory parses as many tensors, and as long a metadata value, as are
// taken: the memory stays below the size of the file plus 64 MiB.
func TestParsingMemory(t *testing.T) {
	var many, deep strings.Builder
	many.WriteByte('{')
	for i := range maxEntries {
		if i > 0 {
			many.WriteByte(',')
		}
		fmt.Fprintf(&many, `"%x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`, i)
	}
	many.WriteByte('}')
	deep.WriteString(`{"__metadata__":{"a":"\n`)
	for range 40 << 20 {
		deep.WriteByte('x')
	}
	deep.WriteString(`"}}`)
	for name, header := range map[string]string{"many": many.String(), "long value": deep.String()} {
		data := fileOf(header, nil)
		allocated := allocatedBy(func() {
			_, err := Parse("m", data)
			require.NoError(t, err)
		})
		t.Logf("%s: allocated %d MiB for a file of %d MiB", name, allocated>>20, len(data)>>20)
		assert.Less(t, allocated, uint64(len(data)+64<<20))
	}
	_, err := Parse("m", fileOf(strings.TrimSuffix(many.String(), "}")+`,"z":1}`, nil))
	assert.ErrorContains(t, err, "more than 131072")
}

func TestOpenFSOfMemory(t *testing.T) {
	fsys := fstest.MapFS{"tiny/model.safetensors": {Data: fileOf(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, []byte{3, 4})}}
	f, err := OpenFS(fsys, "tiny")
	require.NoError(t, err)
	assert.Equal(t, "tiny", f.Name())
	assert.Equal(t, []float32{3, 4}, values(t, f, "a"))
	_, err = f.Tensor("b")
	assert.ErrorIs(t, err, ErrNotFound)
	require.NoError(t, f.Close())
	_, err = OpenFS(fsys, "none")
	assert.ErrorIs(t, err, os.ErrNotExist)
}
