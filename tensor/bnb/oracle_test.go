package bnb_test

import (
	"math"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/bnb"
	"github.com/posttrain/posttrain/tensor/safetensors"
)

const fixtures = "formats/bnb"

// eightTolerance is one rounding of the largest value: the library multiplies and
// divides by 127 in another order.
const eightTolerance = 3e-8

type tensorCase struct {
	State *struct {
		Kind   string `json:"quant_type"`
		Block  int    `json:"blocksize"`
		Dtype  string
		Shape  []int
		Offset float32 `json:"nested_offset"`
		Nested int     `json:"nested_blocksize"`
	}
	RMSE float64
}

// TestOracleTensors compares both directions with bitsandbytes: decoding bit for
// bit, encoding byte for byte.
func TestOracleTensors(t *testing.T) {
	for _, root := range oracle.Roots(t, fixtures) {
		var index struct{ Tensors map[string]tensorCase }
		oracle.ReadJSON(t, filepath.Join(root, "index.json"), &index)
		tally := oracle.NewTally(t)
		for name, c := range index.Tensors {
			file, key, _ := strings.Cut(name, "/")
			t.Run(name, func(t *testing.T) {
				f, err := safetensors.Open(filepath.Join(root, "tensors", file+".safetensors"))
				if c.State == nil && file == "gptq_awq" {
					t.Skip("another format")
				}
				require.NoError(t, err)
				defer f.Close()
				if c.State == nil {
					compareEight(t, f)
				} else {
					compareFour(t, f, key, c)
				}
				tally.Compared(1)
			})
		}
	}
}

func floats(t *testing.T, f *safetensors.File, name string) []float32 {
	t.Helper()
	x, err := f.Tensor(name)
	require.NoError(t, err)
	v, err := x.Float32()
	require.NoError(t, err)
	return v
}

func raw(t *testing.T, f *safetensors.File, name string) []byte {
	t.Helper()
	x, err := f.Tensor(name)
	require.NoError(t, err)
	b, err := x.Bytes()
	require.NoError(t, err)
	return b
}

func compareFour(t *testing.T, f *safetensors.File, key string, c tensorCase) {
	kind := bnb.Kind(c.State.Kind)
	state, err := bnb.ParseState(raw(t, f, key+".quant_state.bitsandbytes__"+c.State.Kind))
	require.NoError(t, err)
	assert.Equal(t, bnb.State{Kind: kind, Block: c.State.Block, Dtype: c.State.Dtype, Shape: c.State.Shape,
		NestedBlock: c.State.Nested, NestedDtype: state.NestedDtype, NestedOffset: c.State.Offset}, state)
	code, err := kind.Code()
	require.NoError(t, err)
	assert.Equal(t, floats(t, f, key+".quant_map"), code[:])

	input := floats(t, f, "input")
	made, err := bnb.Quantize(input, kind, state.Block)
	require.NoError(t, err)
	for i, b := range raw(t, f, key) {
		require.Equal(t, b, made.Codes[i], "encoded byte %d", i)
	}

	four := bnb.Four{Codes: raw(t, f, key), Code: code, Block: state.Block, Len: state.Len()}
	if state.NestedBlock == 0 {
		four.Absmax = floats(t, f, key+".absmax")
		assert.Equal(t, four.Absmax, made.Absmax)
	} else {
		n := bnb.Nested{Codes: raw(t, f, key+".absmax"), Absmax: floats(t, f, key+".nested_absmax"), Code: bnb.DynamicMap(true), Block: state.NestedBlock, Offset: state.NestedOffset}
		assert.Equal(t, floats(t, f, key+".nested_quant_map"), n.Code[:])
		four.Absmax = make([]float32, len(n.Codes))
		require.NoError(t, n.Float32(four.Absmax))
		compareNested(t, n, made.Absmax)
	}
	got := make([]float32, state.Len())
	require.NoError(t, four.Float32(got))
	assert.Equal(t, floats(t, f, key+".dequantised"), narrowed(t, got, state.Dtype))
	assert.InEpsilon(t, c.RMSE, rmse(got, input), 2e-2) // the index rounds to the state's type first
}

// offsetTolerance is relative: torch sums the scales in float32 in an order of its
// own.
const offsetTolerance = 3e-7

// compareNested encodes the scales and compares. The offset may differ in its last
// digits, so a code may be the neighbour where a scale lies in the middle.
func compareNested(t *testing.T, want bnb.Nested, scales []float32) {
	got, err := bnb.Nest(scales)
	require.NoError(t, err)
	assert.InEpsilon(t, want.Offset, got.Offset, offsetTolerance)
	assert.InDeltaSlice(t, want.Absmax, got.Absmax, float64(want.Offset)*offsetTolerance*2)
	wantScales, gotScales := make([]float32, len(scales)), make([]float32, len(scales))
	require.NoError(t, want.Float32(wantScales))
	require.NoError(t, got.Float32(gotScales))
	var a, b float64
	for i, s := range scales {
		a = max(a, math.Abs(float64(wantScales[i]-s)))
		b = max(b, math.Abs(float64(gotScales[i]-s)))
	}
	assert.LessOrEqual(t, b, a*1.0001+1e-9, "largest error of a scale")
}

func compareEight(t *testing.T, f *safetensors.File) {
	scb := floats(t, f, "int8.SCB")
	codes := raw(t, f, "int8.weight")
	e := bnb.Eight{Codes: unsafe.Slice((*int8)(unsafe.Pointer(&codes[0])), len(codes)), Absmax: scb, Cols: len(codes) / len(scb)}
	got := make([]float32, len(codes))
	require.NoError(t, e.Float32(got))
	assert.InDeltaSlice(t, floats(t, f, "int8.dequantised"), got, eightTolerance)
	made, err := bnb.QuantizeRows(floats(t, f, "input"), e.Cols)
	require.NoError(t, err)
	assert.Equal(t, e.Absmax, made.Absmax)
	for i, c := range e.Codes {
		require.Equal(t, c, made.Codes[i], "element %d", i)
	}
}

// narrowed rounds to the type the tensor had before and widens again.
func narrowed(t *testing.T, x []float32, dtype string) []float32 {
	p, err := tensor.NewParam("x", x, len(x))
	require.NoError(t, err)
	switch dtype {
	case "bfloat16":
		p, err = p.Convert(tensor.BFloat16)
	case "float16":
		p, err = p.Convert(tensor.Float16)
	}
	require.NoError(t, err)
	return p.Float32s()
}

func rmse(a, b []float32) float64 {
	var s float64
	for i := range a {
		s += float64(a[i]-b[i]) * float64(a[i]-b[i])
	}
	return math.Sqrt(s / float64(len(a)))
}
