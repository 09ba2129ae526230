package gguf

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

// everyKind is metadata of all kinds.
func everyKind() []Pair {
	return []Pair{
		{"u8", uint8(200)}, {"i8", int8(-3)}, {"u16", uint16(60000)}, {"i16", int16(-300)}, {"u32", uint32(1 << 31)}, {"i32", int32(-1 << 30)},
		{"f32", float32(1.5)}, {"yes", true}, {"no", false}, {"text", "not UTF-8: \xff"}, {"u64", uint64(1 << 63)}, {"i64", int64(-1 << 62)}, {"f64", 0.1},
		{"list.u8", []uint8{1, 2}}, {"list.i8", []int8{-1}}, {"list.u16", []uint16{3}}, {"list.i16", []int16{-4}}, {"list.u32", []uint32{5}},
		{"list.i32", []int32{-6, 7}}, {"list.f32", []float32{0.5, -2}}, {"list.bool", []bool{true, false}}, {"list.text", []string{"", "a b", "ß"}},
		{"list.u64", []uint64{8}}, {"list.i64", []int64{-9}}, {"list.f64", []float64{}}, {"nested", []any{[]int32{1}, []string{"x"}, []any{[]bool{true}}}},
	}
}

func TestWriterRoundTrip(t *testing.T) {
	for _, align := range []uint32{0, 1, 64} {
		path := filepath.Join(t.TempDir(), "m.gguf")
		meta := everyKind()
		if align > 0 {
			meta = append(meta, Pair{alignmentKey, align})
		}
		w, err := Create(path, meta, []Info{
			{"a", F16, []int{2, 3}}, {"b", Q8_0, []int{2, 64}}, {"c", I32, []int{1}}, {"d", F32, nil}, {"e", BF16, []int{0, 4}}, {"f", F32, []int{1}},
		})
		require.NoError(t, err)
		_, err = os.Stat(path)
		require.ErrorIs(t, err, os.ErrNotExist, "the name appears at Close only")
		wide := make([]float32, 128)
		for i := range wide {
			wide[i] = float32(i-64) / 64
		}
		loss, err := w.WriteFloat32("b", wide)
		require.NoError(t, err)
		assert.Equal(t, 128, loss.Count)
		assert.InDelta(t, 0.002, loss.RMSE(), 0.001, "a quarter of a step of 1/127")
		require.NoError(t, w.Write("c", []byte{1, 2, 3, 4}))
		loss, err = w.WriteFloat32("a", []float32{1, 2, 3, -4, 5, float32(math.Inf(1))})
		require.NoError(t, err)
		assert.Zero(t, loss.Relative())
		for name, x := range map[string][]float32{"d": {7}, "e": {}, "f": {-8}} {
			_, err := w.WriteFloat32(name, x)
			require.NoError(t, err)
		}
		require.NoError(t, w.Close())
		require.NoError(t, w.Close(), "twice is allowed")
		require.NoError(t, w.Abort())
		readBack(t, path, meta, wide)
	}
}

func readBack(t *testing.T, path string, meta []Pair, wide []float32) {
	f, err := Open(path)
	require.NoError(t, err)
	defer f.Close()
	i := 0
	for key := range f.Keys() {
		v, err := f.Value(key)
		require.NoError(t, err)
		assert.Equal(t, meta[i], Pair{key, v})
		i++
	}
	assert.Equal(t, len(meta), i)
	var names []string
	for name := range f.Tensors() {
		names = append(names, name)
	}
	assert.Equal(t, []string{"a", "b", "c", "d", "e", "f"}, names)
	a, err := f.Tensor("a")
	require.NoError(t, err)
	assert.Equal(t, []int{2, 3}, a.Shape())
	got, err := a.Float32()
	require.NoError(t, err)
	assert.Equal(t, []float32{1, 2, 3, -4, 5, float32(math.Inf(1))}, got)
	b, err := f.Tensor("b")
	require.NoError(t, err)
	got, err = b.Float32()
	require.NoError(t, err)
	assert.InDeltaSlice(t, wide, got, 0.5/127+1e-3)
	info, err := os.Stat(path)
	require.NoError(t, err)
	if v, err := f.Uint(alignmentKey); err == nil {
		assert.Zero(t, info.Size()%int64(v), "the last tensor is padded")
	} else {
		assert.Zero(t, info.Size()%32, "the last tensor is padded")
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*partial*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestCreateRefuses(t *testing.T) {
	long := string(make([]byte, 65))
	for _, c := range []struct {
		want  string
		meta  []Pair
		infos []Info
	}{
		{`tensor "x": got the name twice`, nil, []Info{{"x", F32, nil}, {"x", F32, nil}}},
		{"no negative dimension", nil, []Info{{"x", F32, []int{-1}}}},
		{"got unknown tensor type 99", nil, []Info{{"x", 99, nil}}},
		{"which ggml has removed", nil, []Info{{"x", 4, nil}}},
		{"want a multiple of 256", nil, []Info{{"x", Q4_K, []int{256, 64}}}},
		{"want at most 4", nil, []Info{{"x", F32, make([]int, 5)}}},
		{"a name of 65 bytes", nil, []Info{{long, F32, nil}}},
		{"a name of 0 bytes", nil, []Info{{"", F32, nil}}},
		{"too large", nil, []Info{{"x", F32, []int{1 << 31, 1 << 31}}, {"y", F32, []int{1 << 30, 1 << 31}}}},
		{`key "a": got it twice`, []Pair{{"a", true}, {"a", true}}, nil},
		{"Go type int,", []Pair{{"a", 1}}, nil},
		{"Go type <nil>", []Pair{{"a", nil}}, nil},
		{`key "a": element 1: got bool in an array of arrays`, []Pair{{"a", []any{[]int8{1}, true}}}, nil},
		{"more than 4 deep", []Pair{{"a", []any{[]any{[]any{[]any{[]int8{1}}}}}}}, nil},
		{"power of two", []Pair{{alignmentKey, uint32(24)}}, nil},
		{"power of two", []Pair{{alignmentKey, 32}}, nil},
		{"got 0 bytes, want 1", []Pair{{"", true}}, nil},
	} {
		dir := t.TempDir()
		_, err := Create(filepath.Join(dir, "x"), c.meta, c.infos)
		assert.ErrorContains(t, err, c.want)
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Empty(t, left)
	}
}

func TestWriterRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "m.gguf")
	require.NoError(t, os.WriteFile(path, []byte("older"), 0o600))
	w, err := Create(path, nil, []Info{{"a", F16, []int{2}}, {"i", I32, []int{1}}})
	require.NoError(t, err)
	refused := func(name string, x []float32, want string) {
		_, err := w.WriteFloat32(name, x)
		assert.ErrorContains(t, err, want)
	}
	assert.ErrorContains(t, w.Write("a", make([]byte, 3)), "got 3 bytes, want 4")
	refused("a", make([]float32, 3), "got 3 numbers, want 2")
	refused("i", make([]float32, 1), "encoding type I32 is not supported")
	refused("a", []float32{1, 70000}, "numbers 1 to 1 do not fit F16")
	assert.ErrorIs(t, w.Write("zz", nil), ErrNotFound)
	_, err = w.WriteFloat32("a", []float32{1, 2})
	require.NoError(t, err, "a refusal leaves the writer usable")
	assert.ErrorContains(t, w.Write("a", make([]byte, 4)), "got it twice")
	assert.ErrorContains(t, w.Close(), `got 1 of 2 tensors, first missing "i"`)
	assert.Error(t, w.Write("i", make([]byte, 4)))
	older, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "older", string(older), "a failed write leaves the older file")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, left, 1)
}

// faulty fails its calls as told.
type faulty struct {
	scratch.File
	short    bool
	room     int64 // bytes until the disk is full
	sync     error
	truncate error
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

func (f *faulty) Truncate(n int64) error { return errors.Join(f.truncate, f.File.Truncate(n)) }

func TestWriterDiskFaults(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault faulty
		want  string
	}{
		{"no room for the file", faulty{room: 1 << 20, truncate: errFull}, "header: no space left"},
		{"full in the header", faulty{room: 10}, "header: no space left"},
		{"full in the data", faulty{room: 200}, `tensor "b": write: no space left`},
		{"short write", faulty{short: true, room: 1 << 20}, "short write"},
		{"sync", faulty{room: 1 << 20, sync: errFull}, "sync: no space left"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "m.gguf")
			require.NoError(t, os.WriteFile(path, []byte("older"), 0o600))
			open := func(path string) (scratch.File, string, error) {
				out, scratch, err := scratch.Create(path)
				c.fault.File = out
				return &c.fault, scratch, err
			}
			w, err := create(path, nil, []Info{{"a", F32, []int{2}}, {"b", F32, []int{100}}}, open)
			if err == nil {
				_, fault := w.WriteFloat32("b", make([]float32, 100))
				err = errors.Join(w.Write("a", make([]byte, 8)), fault, w.Close())
			}
			assert.ErrorContains(t, err, c.want)
			older, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, "older", string(older))
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			assert.Len(t, left, 1)
		})
	}
}
