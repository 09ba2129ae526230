package gguf_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/tensor/gguf"
)

func withEveryKind() *file {
	f32 := func(v float32) []byte { return u32(math.Float32bits(v)) }
	f := new(file)
	return f.key("u8", 0, []byte{200}).key("i8", 1, []byte{0xff}).key("u16", 2, []byte{1, 2}).key("i16", 3, []byte{0xfe, 0xff}).
		key("u32", 4, u32(1<<31)).key("i32", 5, u32(0xffffffff)).key("f32", 6, f32(0.5)).key("yes", 7, []byte{1}).key("no", 7, []byte{0}).
		key("s", 8, text(nil, "häns")).key("u64", 10, u64(1<<63)).key("i64", 11, u64(math.MaxUint64)).key("f64", 12, u64(math.Float64bits(-2))).
		key("strings", 9, array(8, 3, text(text(text(nil, "a"), ""), "\xff"))).key("floats", 9, array(6, 2, append(f32(1), f32(-1)...))).
		key("ints", 9, array(1, 3, []byte{1, 0xff, 0x80})).key("big", 9, array(10, 1, u64(math.MaxUint64))).key("bools", 9, array(7, 2, []byte{0, 2})).
		key("nested", 9, array(9, 2, append(array(0, 2, []byte{7, 8}), array(8, 1, text(nil, "x"))...)))
}

func TestAccessors(t *testing.T) {
	f, err := gguf.Parse("m.gguf", withEveryKind().bytes())
	require.NoError(t, err)
	for key, want := range map[string]uint64{"u8": 200, "u16": 513, "u32": 1 << 31, "u64": 1 << 63} {
		got, err := f.Uint(key)
		require.NoError(t, err)
		assert.Equal(t, want, got, key)
	}
	for key, want := range map[string]int64{"u8": 200, "i8": -1, "i16": -2, "i32": -1, "i64": -1} {
		got, err := f.Int(key)
		require.NoError(t, err)
		assert.Equal(t, want, got, key)
	}
	half, err := f.Float("f32")
	require.NoError(t, err)
	assert.Equal(t, 0.5, half)
	two, err := f.Float("f64")
	require.NoError(t, err)
	assert.Equal(t, -2.0, two)
	for key, want := range map[string]bool{"yes": true, "no": false} {
		got, err := f.Bool(key)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	s, err := f.String("s")
	require.NoError(t, err)
	assert.Equal(t, "häns", s)
	strings, err := f.Strings("strings")
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "", "\xff"}, strings)
	numbers, err := f.Floats("floats")
	require.NoError(t, err)
	assert.Equal(t, []float64{1, -1}, numbers)
	ints, err := f.Ints("ints")
	require.NoError(t, err)
	assert.Equal(t, []int64{1, -1, -128}, ints)
	bools, err := f.Bools("bools")
	require.NoError(t, err)
	assert.Equal(t, []bool{false, true}, bools)
}

func TestValueOfEveryKind(t *testing.T) {
	f, err := gguf.Parse("m.gguf", withEveryKind().bytes())
	require.NoError(t, err)
	want := map[string]any{
		"u8": uint8(200), "i8": int8(-1), "u16": uint16(513), "i16": int16(-2), "u32": uint32(1 << 31), "i32": int32(-1), "f32": float32(0.5),
		"yes": true, "no": false, "s": "häns", "u64": uint64(1 << 63), "i64": int64(-1), "f64": -2.0, "strings": []string{"a", "", "\xff"},
		"floats": []float32{1, -1}, "ints": []int8{1, -1, -128}, "big": []uint64{math.MaxUint64}, "bools": []bool{false, true},
		"nested": []any{[]uint8{7, 8}, []string{"x"}},
	}
	got := map[string]any{}
	for key := range f.Keys() {
		got[key], err = f.Value(key)
		require.NoError(t, err)
	}
	assert.Equal(t, want, got)
}

func TestAccessorErrors(t *testing.T) {
	f, err := gguf.Parse("m.gguf", withEveryKind().bytes())
	require.NoError(t, err)
	_, err = f.Uint("none")
	assert.ErrorIs(t, err, gguf.ErrNotFound)
	assert.EqualError(t, err, `gguf: m.gguf: key "none": not found`)
	_, err = f.Uint("s")
	assert.ErrorIs(t, err, gguf.ErrWrongType)
	assert.ErrorContains(t, err, "got string, want uint8")
	_, err = f.Uint("i8")
	assert.ErrorContains(t, err, "got -1, want no negative number")
	_, err = f.Int("u64")
	assert.ErrorContains(t, err, "want at most")
	_, err = f.Ints("big")
	assert.ErrorContains(t, err, "element 0")
	_, err = f.Strings("floats")
	assert.ErrorIs(t, err, gguf.ErrWrongType)
	assert.ErrorContains(t, err, "got an array of float32")
	_, err = f.Floats("f32")
	assert.ErrorContains(t, err, "got float32, want array")
	_, err = f.Float("u8")
	assert.ErrorIs(t, err, gguf.ErrWrongType)
	_, err = f.Value("none")
	assert.ErrorIs(t, err, gguf.ErrNotFound)
	_, err = f.Tensor("none")
	assert.ErrorIs(t, err, gguf.ErrNotFound)
}

func TestTensorRowsAndLifetime(t *testing.T) {
	data := make([]byte, 0, 24)
	for i := range 6 {
		data = append(data, u32(math.Float32bits(float32(i)))...)
	}
	path := new(file).tensor("a", uint32(gguf.F32), data, 2, 3).tensor("q", 9, make([]byte, 36), 32).write(t, "m.gguf")
	f, err := gguf.Open(path)
	require.NoError(t, err)
	a, err := f.Tensor("a")
	require.NoError(t, err)
	assert.Equal(t, []int{3, 2}, a.Shape())
	assert.Equal(t, 3, a.Rows())
	rows := make([]float32, 4)
	require.NoError(t, a.ReadRows(rows, 1))
	assert.Equal(t, []float32{2, 3, 4, 5}, rows)
	assert.ErrorContains(t, a.ReadRows(rows, 2), "rows of 2 below 3")
	assert.Error(t, a.ReadRows(rows[:3], 0))
	assert.Error(t, a.ReadRows(rows, -1))
	assert.ErrorContains(t, a.ReadFloat32(rows), "want 6")
	require.NoError(t, a.View(func(b []byte) error { assert.Equal(t, data, b); return nil }))
	q, err := f.Tensor("q")
	require.NoError(t, err)
	_, err = q.Float32()
	assert.EqualError(t, err, "gguf: "+path+`: tensor "q": decoding type Q8_1 is not supported`)
	require.NoError(t, f.Close())
	require.NoError(t, f.Close())
	_, err = a.Float32()
	assert.ErrorIs(t, err, gguf.ErrClosed)
	_, err = gguf.Tensor{}.Float32()
	assert.Error(t, err)
}

// TestWorkersDoNotChangeBits decodes a tensor with one and with many goroutines.
func TestWorkersDoNotChangeBits(t *testing.T) {
	const rows, row = 1037, 512
	data := make([]byte, rows*row/256*144)
	for i := range data {
		data[i] = byte(i*7 + i>>8)
	}
	f, err := gguf.Parse("m", new(file).tensor("a", uint32(gguf.Q4_K), data, row, rows).bytes())
	require.NoError(t, err)
	x, err := f.Tensor("a")
	require.NoError(t, err)
	var want []float32
	for _, workers := range []int{1, 2, 7} {
		before := runtime.GOMAXPROCS(workers)
		got, err := x.Float32()
		runtime.GOMAXPROCS(before)
		require.NoError(t, err)
		if want == nil {
			want = got
		}
		assertBits(t, fmt.Sprint(workers), want, got)
	}
}

func TestShrunkFileIsAnError(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open file cannot be cut there")
	}
	path := new(file).key("s", 9, array(8, 1, text(nil, "x"))).tensor("a", uint32(gguf.F32), make([]byte, 4<<20), 1<<20).write(t, "m.gguf")
	f, err := gguf.Open(path)
	require.NoError(t, err)
	defer f.Close()
	x, err := f.Tensor("a")
	require.NoError(t, err)
	require.NoError(t, os.Truncate(path, 0))
	_, err = x.Float32()
	assert.ErrorIs(t, err, gguf.ErrChanged)
	assert.ErrorContains(t, err, path)
	_, err = f.Strings("s")
	assert.ErrorIs(t, err, gguf.ErrChanged)
	_, err = f.Value("s")
	assert.ErrorIs(t, err, gguf.ErrChanged)
}

// TestSparseHostileFiles opens 50 GB of nothing behind hostile headers.
func TestSparseHostileFiles(t *testing.T) {
	const size = 50 << 30
	for name, head := range map[string][]byte{
		"strings":       new(file).key("k", 9, array(8, size/8-100, nil)).bytes(),
		"nested":        new(file).key("k", 9, array(9, size/12-100, nil)).bytes(),
		"keys":          slices.Concat([]byte("GGUF"), u32(3), u64(0), u64(1<<60)),
		"tensors":       slices.Concat([]byte("GGUF"), u32(3), u64(1<<60), u64(0)),
		"many keys":     slices.Concat([]byte("GGUF"), u32(3), u64(0), u64(1<<16)),
		"long key":      slices.Concat([]byte("GGUF"), u32(3), u64(0), u64(1), u64(size/2)),
		"bytes, tensor": slices.Concat(new(file).key("k", 9, array(0, size-1<<20, nil)).bytes()),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "m.gguf")
			require.NoError(t, os.WriteFile(path, head, 0o600))
			if err := os.Truncate(path, size); err != nil {
				t.Skip("no sparse files here: ", err)
			}
			start := time.Now()
			allocated := allocatedBy(func() {
				f, err := gguf.Open(path)
				if name == "bytes, tensor" {
					require.NoError(t, err, "an honest array of bytes, however long, costs nothing")
					require.NoError(t, f.Close())
					return
				}
				require.Error(t, err)
				t.Log(err)
			})
			assert.Less(t, allocated, uint64(64<<20))
			assert.Less(t, time.Since(start), 5*time.Second) // far above what it takes, for machines under load
		})
	}
}

func allocatedBy(fn func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestParsingMemory holds the smallest possible keys and tensors, as many as are
// taken, to the size of the file plus 64 MiB.
func TestParsingMemory(t *testing.T) {
	f := new(file)
	for i := range 1 << 16 {
		f.key(fmt.Sprintf("%x", i), 0, []byte{0})
	}
	for i := range 1 << 17 {
		f.tensor(fmt.Sprintf("%x", i), uint32(gguf.I8), nil, 1, 1, 1, 0)
	}
	data := f.bytes()
	allocated := allocatedBy(func() {
		g, err := gguf.Parse("m", data)
		require.NoError(t, err)
		assert.Equal(t, 1<<17, g.Len())
	})
	t.Logf("allocated %d MiB for a file of %d MiB", allocated>>20, len(data)>>20)
	assert.Less(t, allocated, uint64(len(data)+64<<20))
}

func splitPart(no, count, total uint16) *file {
	return new(file).key("split.no", 2, le.AppendUint16(nil, no)).key("split.count", 2, le.AppendUint16(nil, count)).key("split.tensors.count", 5, u32(uint32(total)))
}

func TestSplitErrors(t *testing.T) {
	one := make([]byte, 4)
	write := func(dir, name string, f *file) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, f.bytes(), 0o600))
		return path
	}
	for _, c := range []struct {
		name, want  string
		first, last *file
		open        string
	}{
		{"missing", "part 2 of 2", splitPart(0, 2, 2).tensor("a", 0, one, 1), nil, "m-00001-of-00002.gguf"},
		{"wrong number", "got split.no 5", splitPart(0, 2, 2).tensor("a", 0, one, 1), splitPart(5, 2, 2).tensor("b", 0, one, 1), "m-00001-of-00002.gguf"},
		{"duplicate", `tensor "a": got the name twice, also in`, splitPart(0, 2, 2).tensor("a", 0, one, 1), splitPart(1, 2, 2).tensor("a", 0, one, 1), "m-00001-of-00002.gguf"},
		{"count", "got 2 tensors in 2 parts, want the 3", splitPart(0, 2, 3).tensor("a", 0, one, 1), splitPart(1, 2, 3).tensor("b", 0, one, 1), "m-00001-of-00002.gguf"},
		{"second", "got part 2 of 2, want the first", splitPart(0, 2, 2), splitPart(1, 2, 2), "m-00002-of-00002.gguf"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(dir, "m-00001-of-00002.gguf", c.first)
			if c.last != nil {
				write(dir, "m-00002-of-00002.gguf", c.last)
			}
			_, err := gguf.Open(filepath.Join(dir, c.open))
			assert.ErrorContains(t, err, c.want)
		})
	}
	_, err := gguf.Open(splitPart(0, 2, 2).write(t, "renamed.gguf"))
	assert.ErrorContains(t, err, `want one that ends in "-00001-of-00002.gguf"`)
	_, err = gguf.Parse("m", splitPart(0, 2, 2).bytes())
	assert.ErrorContains(t, err, "want a whole model")
}

func TestOpenErrors(t *testing.T) {
	_, err := gguf.Open(filepath.Join(t.TempDir(), "none.gguf"))
	assert.ErrorIs(t, err, os.ErrNotExist)
	_, err = gguf.Open(t.TempDir())
	assert.ErrorContains(t, err, "got a folder")
	for lead, want := range map[string]string{"version https://git-lfs": "Git LFS", "PK\x03\x04....": "zip", "ggml....": "older"} {
		_, err = gguf.Parse("m", []byte(lead))
		assert.ErrorContains(t, err, want)
	}
}

func TestDequantizeRefuses(t *testing.T) {
	assert.ErrorContains(t, gguf.Dequantize(nil, 4, nil), "Q4_2")
	assert.ErrorContains(t, gguf.Dequantize(nil, 1000, nil), "unknown tensor type 1000")
	assert.ErrorContains(t, gguf.Dequantize(nil, 15, nil), "type Q8_K is not supported")
	assert.ErrorContains(t, gguf.Dequantize(make([]float32, 31), gguf.Q4_0, make([]byte, 18)), "got 18 bytes of Q4_0 for 31 numbers")
}
