package safetensors

import (
	"errors"
	"github.com/posttrain/posttrain/tensor/internal/scratch"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWriterAnyOrderAndTypes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	w, err := Create(path, []Info{
		{"a", F16, []int{2, 2}}, {"b", F32, []int{3}}, {"c", BF16, []int{2}}, {"d", F64, nil}, {"e", U8, []int{0, 4}},
	}, map[string]string{"format": "pt", "k": "\u2028\x01\"\\"})
	require.NoError(t, err)
	_, err = os.Stat(path)
	require.ErrorIs(t, err, os.ErrNotExist, "the name appears at Close only")
	require.NoError(t, w.Write("e", nil))
	require.NoError(t, w.WriteFloat32("c", []float32{1.00390625, -2}))
	require.NoError(t, w.WriteFloat32("a", []float32{1, -0.5, 65504, float32(math.Inf(1))}))
	require.NoError(t, w.WriteFloat32("d", []float32{0.1}))
	require.NoError(t, w.WriteFloat32("b", []float32{1, 2, 3}))
	require.NoError(t, w.Close())
	require.NoError(t, w.Close(), "twice is allowed")
	require.NoError(t, w.Abort())

	f, err := Open(path)
	require.NoError(t, err)
	defer f.Close()
	assert.Equal(t, map[string]string{"format": "pt", "k": "\u2028\x01\"\\"}, f.Metadata())
	assert.Equal(t, []float32{1, -0.5, 65504, float32(math.Inf(1))}, values(t, f, "a"))
	assert.Equal(t, []float32{1, 2, 3}, values(t, f, "b"))
	assert.Equal(t, []float32{1, -2}, values(t, f, "c"), "a tie rounds to even")
	assert.Equal(t, []float32{0.1}, values(t, f, "d"))
	assert.Empty(t, values(t, f, "e"))
	assertNoScratch(t, filepath.Dir(path))
}

func values(t *testing.T, f interface{ Tensor(string) (Tensor, error) }, name string) []float32 {
	t.Helper()
	x, err := f.Tensor(name)
	require.NoError(t, err)
	v, err := x.Float32()
	require.NoError(t, err)
	return v
}

func assertNoScratch(t *testing.T, dir string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(dir, ".*partial*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestCreateRefuses(t *testing.T) {
	for _, c := range []struct {
		want  string
		infos []Info
		meta  map[string]string
	}{
		{`"x": got the name twice`, []Info{{"x", F32, nil}, {"x", F32, nil}}, nil},
		{"reserved", []Info{{"__metadata__", F32, nil}}, nil},
		{"no negative dimension", []Info{{"x", F32, []int{-1}}}, nil},
		{"dtype 0", []Info{{"x", 0, nil}}, nil},
		{"not valid UTF-8", []Info{{"\xff", F32, nil}}, nil},
		{"overflows", []Info{{"x", F32, []int{1 << 30, 1 << 30, 1 << 30}}}, nil},
		{"overflows", []Info{{"x", U8, []int{math.MaxInt, 2}}}, nil},
		{"whole number of bytes", []Info{{"x", F4, []int{3}}}, nil},
		{"metadata", nil, map[string]string{"a": "\xff"}},
	} {
		dir := t.TempDir()
		_, err := Create(filepath.Join(dir, "x"), c.infos, c.meta)
		assert.ErrorContains(t, err, c.want)
		assertNoScratch(t, dir)
	}
}

func TestWriterRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.safetensors")
	require.NoError(t, os.WriteFile(path, []byte("older"), 0o600))
	w, err := Create(path, []Info{{"a", F16, []int{2}}, {"i", I32, []int{1}}}, nil)
	require.NoError(t, err)
	assert.ErrorContains(t, w.Write("a", make([]byte, 3)), "got 3 bytes, want 4")
	assert.ErrorContains(t, w.WriteFloat32("a", make([]float32, 3)), "got 3 numbers, want 2")
	assert.ErrorContains(t, w.WriteFloat32("i", make([]float32, 1)), "got I32")
	assert.ErrorContains(t, w.WriteFloat32("a", []float32{1, 70000}), "70000, which does not fit F16")
	assert.ErrorIs(t, w.Write("zz", nil), ErrNotFound)
	require.NoError(t, w.WriteFloat32("a", []float32{1, 2}))
	assert.ErrorContains(t, w.Write("a", make([]byte, 4)), "got it twice")
	assert.ErrorContains(t, w.Close(), `got 1 of 2 tensors, first missing "i"`)
	assert.Error(t, w.Write("i", make([]byte, 4)))
	older, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "older", string(older), "a failed write leaves the older file")
	assertNoScratch(t, dir)
}

// faulty fails its calls as told.
type faulty struct {
	scratch.File
	short bool
	room  int64 // bytes until the disk is full
	sync  error
}

var errFull = errors.New("no space left on device")

func (f *faulty) WriteAt(b []byte, off int64) (int, error) {
	if f.short {
		return f.File.WriteAt(b[:len(b)/2], off)
	}
	if off+int64(len(b)) > f.room {
		return 0, errFull
	}
	return f.File.WriteAt(b, off)
}

func (f *faulty) Sync() error { return errors.Join(f.sync, f.File.Sync()) }

func TestWriterDiskFaults(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault faulty
		want  string
	}{
		{"full in the header", faulty{room: 10}, "header: no space left"},
		{"full in the data", faulty{room: 200}, `tensor "b": write: no space left`},
		{"short write", faulty{short: true, room: 1 << 20}, "short write"},
		{"sync", faulty{room: 1 << 20, sync: errFull}, "sync: no space left"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "m.safetensors")
			require.NoError(t, os.WriteFile(path, []byte("older"), 0o600))
			open := func(path string) (scratch.File, string, error) {
				out, scratch, err := scratch.Create(path)
				c.fault.File = out
				return &c.fault, scratch, err
			}
			w, err := create(path, []Info{{"a", F32, []int{2}}, {"b", F32, []int{100}}}, nil, open)
			if err == nil {
				err = errors.Join(w.Write("a", make([]byte, 8)), w.Write("b", make([]byte, 400)), w.Close())
			}
			assert.ErrorContains(t, err, c.want)
			older, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, "older", string(older))
			assertNoScratch(t, dir)
		})
	}
}

func TestCreateInMissingOrReadOnlyFolder(t *testing.T) {
	_, err := Create(filepath.Join(t.TempDir(), "none", "m.safetensors"), nil, nil)
	assert.ErrorIs(t, err, os.ErrNotExist)
	if os.Geteuid() == 0 {
		t.Log("root may write everywhere: read-only folder not tried")
		return
	}
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o500))
	_, err = Create(filepath.Join(dir, "m.safetensors"), nil, nil)
	assert.ErrorIs(t, err, os.ErrPermission)
}

func TestCloseOverAFolderFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "taken")
	require.NoError(t, os.MkdirAll(filepath.Join(path, "x"), 0o700))
	w, err := Create(path, nil, nil)
	require.NoError(t, err)
	assert.Error(t, w.Close())
	assertNoScratch(t, dir)
}
