package safetensors_test

import (
	"encoding/hex"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/tensor/safetensors"
)

const fixtures = "formats/safetensors"

type verdict struct {
	Verdict string
	Why     string
}

type validTensor struct {
	Dtype  string
	Shape  []int
	Hex    string `json:"bytes_hex"`
	Values []any
}

type index struct {
	Valid map[string]struct {
		Metadata map[string]string
		Tensors  map[string]validTensor
	}
	Handmade, Malformed, Index map[string]verdict
}

// torchNames are the index's names of element types.
var torchNames = map[string]string{
	"uint64": "U64", "int64": "I64", "float64": "F64", "float32": "F32", "uint32": "U32", "int32": "I32", "bfloat16": "BF16", "float16": "F16",
	"uint16": "U16", "int16": "I16", "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "float8_e8m0fnu": "F8_E8M0", "int8": "I8", "uint8": "U8",
	"bool": "BOOL", "complex64": "C64", "float4_e2m1fn_x2": "F4",
}

func TestOracleValid(t *testing.T) {
	for _, root := range oracle.Roots(t, fixtures) {
		var ix index
		oracle.ReadJSON(t, filepath.Join(root, "index.json"), &ix)
		tally := oracle.NewTally(t)
		for name, want := range ix.Valid {
			t.Run(name, func(t *testing.T) {
				f, err := safetensors.Open(filepath.Join(root, "valid", name+".safetensors"))
				require.NoError(t, err)
				defer f.Close()
				assert.Equal(t, want.Metadata, f.Metadata())
				assert.Equal(t, len(want.Tensors), f.Len())
				for key, w := range want.Tensors {
					got, err := f.Tensor(key)
					require.NoError(t, err)
					compareTensor(t, got, w)
					tally.Compared(1)
				}
			})
		}
	}
}

func compareTensor(t *testing.T, got safetensors.Tensor, want validTensor) {
	t.Helper()
	assert.Equal(t, torchNames[want.Dtype], got.Dtype().String())
	shape := append([]int{}, want.Shape...)
	if got.Dtype() == safetensors.F4 {
		shape[len(shape)-1] *= 2 // torch counts packed bytes, the file counts elements
	}
	assert.Equal(t, shape, append([]int{}, got.Shape()...))
	b, err := got.Bytes()
	require.NoError(t, err)
	assert.Equal(t, want.Hex, hex.EncodeToString(b))
	if !got.Dtype().Widens() {
		_, err := got.Float32()
		assert.ErrorContains(t, err, got.Dtype().String())
		return
	}
	values, err := got.Float32()
	require.NoError(t, err)
	require.Len(t, values, len(want.Values))
	for i, v := range want.Values {
		assertNumber(t, v, values[i])
	}
}

// assertNumber compares with a value of the index: a number, a truth value or
// the text of a float.
func assertNumber(t *testing.T, want any, got float32) {
	t.Helper()
	var w float64
	switch v := want.(type) {
	case bool:
		if v {
			w = 1
		}
	case float64:
		w = v
	case string:
		var err error
		w, err = strconv.ParseFloat(v, 64)
		require.NoError(t, err)
	}
	if math.IsNaN(w) {
		assert.True(t, math.IsNaN(float64(got)), "got %v, want NaN", got)
		return
	}
	assert.Equal(t, math.Float32bits(float32(w)), math.Float32bits(got), "got %v, want %v", got, want)
}

func TestOracleVerdicts(t *testing.T) {
	for _, root := range oracle.Roots(t, fixtures) {
		var ix index
		oracle.ReadJSON(t, filepath.Join(root, "index.json"), &ix)
		tally := oracle.NewTally(t)
		for folder, cases := range map[string]map[string]verdict{"handmade": ix.Handmade, "malformed": ix.Malformed} {
			for name, v := range cases {
				t.Run(folder+"/"+name, func(t *testing.T) {
					f, err := safetensors.Open(filepath.Join(root, folder, name+".safetensors"))
					checkVerdict(t, v, err)
					if err == nil {
						readAll(t, f.Tensors())
						require.NoError(t, f.Close())
					} else {
						assert.ErrorContains(t, err, name+".safetensors")
					}
					tally.Compared(1)
				})
			}
		}
	}
}

func checkVerdict(t *testing.T, v verdict, err error) {
	t.Helper()
	switch v.Verdict {
	case "accept":
		require.NoError(t, err, v.Why)
	case "error":
		require.Error(t, err, v.Why)
	default:
		require.Equal(t, "either", v.Verdict)
	}
	if err != nil {
		t.Log(err)
	}
}

func readAll(t *testing.T, tensors func(func(string, safetensors.Tensor) bool)) {
	t.Helper()
	for name, x := range tensors {
		assert.Equal(t, name, x.Name())
		b, err := x.Bytes()
		require.NoError(t, err)
		assert.Len(t, b, int(x.Size()))
		if x.Dtype().Widens() {
			_, err = x.Float32()
			require.NoError(t, err)
		}
	}
}

func TestOracleIndex(t *testing.T) {
	for _, root := range oracle.Roots(t, fixtures) {
		var ix index
		oracle.ReadJSON(t, filepath.Join(root, "index.json"), &ix)
		tally := oracle.NewTally(t)
		for name, v := range ix.Index {
			t.Run(name, func(t *testing.T) {
				dir := filepath.Join(root, "index", name)
				f, err := safetensors.OpenFolder(dir)
				checkVerdict(t, v, err)
				fromFS, errFS := safetensors.OpenFS(os.DirFS(root), "index/"+name)
				assert.Equal(t, err == nil, errFS == nil, "OpenFS: %v", errFS)
				if err == nil {
					readAll(t, f.Tensors())
					assert.Equal(t, f.Len(), fromFS.Len())
					assert.Equal(t, name == "ok_extra_tensor_in_shard", len(f.Unlisted()) > 0)
					require.NoError(t, f.Close())
				}
				tally.Compared(1)
			})
		}
	}
}

// TestOracleRewrite writes every valid file again: the reference library's
// bytes must come out.
func TestOracleRewrite(t *testing.T) {
	for _, root := range oracle.Roots(t, fixtures) {
		files, err := filepath.Glob(filepath.Join(root, "valid", "*.safetensors"))
		require.NoError(t, err)
		tally := oracle.NewTally(t)
		for _, path := range files {
			t.Run(filepath.Base(path), func(t *testing.T) {
				f, err := safetensors.Open(path)
				require.NoError(t, err)
				defer f.Close()
				if len(f.Metadata()) > 1 {
					tally.Skip(filepath.Base(path), "the library writes metadata in random order")
					return
				}
				out := filepath.Join(t.TempDir(), "out.safetensors")
				rewrite(t, f, out)
				want, err := os.ReadFile(path)
				require.NoError(t, err)
				got, err := os.ReadFile(out)
				require.NoError(t, err)
				assert.Equal(t, string(want), string(got))
				tally.Compared(1)
			})
		}
	}
}

func rewrite(t *testing.T, f *safetensors.File, path string) {
	t.Helper()
	var infos []safetensors.Info
	for name, x := range f.Tensors() {
		infos = append(infos, safetensors.Info{Name: name, Dtype: x.Dtype(), Shape: x.Shape()})
	}
	w, err := safetensors.Create(path, infos, f.Metadata())
	require.NoError(t, err)
	for name, x := range f.Tensors() {
		require.NoError(t, x.View(func(b []byte) error { return w.Write(name, b) }))
	}
	require.NoError(t, w.Close())
}

// TestOracleFloats compares widening and narrowing with PyTorch's.
func TestOracleFloats(t *testing.T) {
	for _, root := range oracle.Roots(t, "formats/floats") {
		f, err := safetensors.Open(filepath.Join(root, "conversions.safetensors"))
		require.NoError(t, err)
		defer f.Close()
		tally := oracle.NewTally(t)
		every := make([]byte, 256)
		for i := range every {
			every[i] = byte(i)
		}
		for _, c := range []struct {
			dtype safetensors.Dtype
			in    []byte
			want  string
		}{
			{safetensors.F8E4M3, every, "all_e4m3fn_to_f32_bits"},
			{safetensors.F8E5M2, every, "all_e5m2_to_f32_bits"},
			{safetensors.F16, raw(t, f, "some_f16"), "some_f16_to_f32_bits"},
			{safetensors.BF16, raw(t, f, "some_bf16"), "some_bf16_to_f32_bits"},
		} {
			n := len(c.in) * 8 / c.dtype.Bits()
			got := float32sOf(t, c.dtype, c.in, n)
			want := float32sOf(t, safetensors.F32, raw(t, f, c.want), n)
			for i := range want {
				if want[i] != want[i] {
					assert.True(t, got[i] != got[i], "%s %d: got %v, want NaN", c.want, i, got[i])
				} else {
					assert.Equal(t, math.Float32bits(want[i]), math.Float32bits(got[i]), "%s %d", c.want, i)
				}
			}
			tally.Compared(n)
		}
	}
}

func raw(t *testing.T, f *safetensors.File, name string) []byte {
	t.Helper()
	x, err := f.Tensor(name)
	require.NoError(t, err)
	b, err := x.Bytes()
	require.NoError(t, err)
	return b
}

// float32sOf reads bytes as a tensor of a file in memory.
func float32sOf(t *testing.T, d safetensors.Dtype, data []byte, n int) []float32 {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.safetensors")
	w, err := safetensors.Create(path, []safetensors.Info{{Name: "x", Dtype: d, Shape: []int{n}}}, nil)
	require.NoError(t, err)
	require.NoError(t, w.Write("x", data))
	require.NoError(t, w.Close())
	f, err := safetensors.Open(path)
	require.NoError(t, err)
	defer f.Close()
	x, err := f.Tensor("x")
	require.NoError(t, err)
	v, err := x.Float32()
	require.NoError(t, err)
	return v
}
