package gguf_test

import (
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/internal/oracle"
	"github.com/posttrain/posttrain/tensor/gguf"
	"github.com/posttrain/posttrain/tensor/safetensors"
)

// rmseSlack is room for the last digits of a recorded error, which numpy summed
// in another order.
const rmseSlack = 1e-6

// byteEqual are the types whose encoding leaves no choice.
var byteEqual = []gguf.Type{gguf.F16, gguf.BF16, gguf.Q4_0, gguf.Q4_1, gguf.Q5_0, gguf.Q5_1, gguf.Q8_0}

var leastError = []gguf.Type{gguf.Q2_K, gguf.Q3_K, gguf.Q4_K, gguf.Q5_K, gguf.Q6_K}

type quantised struct {
	RMSE   string
	Finite bool
}

// eachQuantised runs fn for every input tensor and the record of what ggml made
// of it.
func eachQuantised(t *testing.T, types []gguf.Type, fn func(t *testing.T, typ gguf.Type, x []float32, want quantised, f *safetensors.File, name string)) {
	for _, root := range oracle.Roots(t, "formats/gguf_blocks") {
		var index struct {
			Types map[string]struct{ Quantised map[string]quantised }
		}
		oracle.ReadJSON(t, filepath.Join(root, "index.json"), &index)
		tally := oracle.NewTally(t)
		inputs, err := safetensors.Open(filepath.Join(root, "inputs.safetensors"))
		require.NoError(t, err)
		defer inputs.Close()
		for _, typ := range types {
			f, err := safetensors.Open(filepath.Join(root, typ.String()+".safetensors"))
			require.NoError(t, err)
			defer f.Close()
			for name, want := range index.Types[typ.String()].Quantised {
				if strings.HasPrefix(name, "im.") {
					continue // with an importance matrix, which is not supported
				}
				t.Run(typ.String()+"/"+name, func(t *testing.T) {
					fn(t, typ, floats(t, inputs, name), want, f, name)
					tally.Compared(1)
				})
			}
		}
	}
}

func encoded(x []float32, typ gguf.Type) ([]byte, error) {
	dst := make([]byte, len(x)/typ.BlockLen()*typ.BlockSize())
	return dst, gguf.Quantize(dst, typ, x)
}

func TestOracleQuantizeBytes(t *testing.T) {
	eachQuantised(t, byteEqual, func(t *testing.T, typ gguf.Type, x []float32, want quantised, f *safetensors.File, name string) {
		got, err := encoded(x, typ)
		if !want.Finite {
			require.ErrorIs(t, err, gguf.ErrRange)
			return
		}
		require.NoError(t, err)
		ref, err := f.Tensor("bytes." + name)
		require.NoError(t, err)
		bytes, err := ref.Bytes()
		require.NoError(t, err)
		require.Equal(t, bytes, got)
	})
}

func TestOracleQuantizeError(t *testing.T) {
	eachQuantised(t, leastError, func(t *testing.T, typ gguf.Type, x []float32, want quantised, _ *safetensors.File, _ string) {
		got, err := encoded(x, typ)
		if !want.Finite {
			require.ErrorIs(t, err, gguf.ErrRange)
			return
		}
		require.NoError(t, err)
		back := make([]float32, len(x))
		require.NoError(t, gguf.Dequantize(back, typ, got))
		recorded, err := strconv.ParseFloat(want.RMSE, 64)
		require.NoError(t, err)
		loss := gguf.Compare(x, back)
		t.Logf("%.3f of the recorded error", loss.RMSE()/recorded)
		assert.LessOrEqual(t, loss.RMSE(), recorded*(1+rmseSlack))
		assert.Equal(t, len(x), loss.Count)
	})
}

func TestQuantizeRefuses(t *testing.T) {
	x := make([]float32, 64)
	dst := make([]byte, 68)
	x[40] = float32(math.Inf(1))
	assert.EqualError(t, gguf.Quantize(dst, gguf.Q8_0, x), "gguf: quantise: number 40 is +Inf, want a finite one for Q8_0: out of range")
	x[40] = 1e7 // a scale of 78740, and halves end at 65504
	assert.EqualError(t, gguf.Quantize(dst, gguf.Q8_0, x), "gguf: quantise: numbers 32 to 63 do not fit Q8_0: out of range")
	assert.ErrorContains(t, gguf.Quantize(dst[:67], gguf.Q8_0, x), "want 32 numbers for each 34 bytes")
	assert.ErrorContains(t, gguf.Quantize(dst, gguf.IQ4_NL, x), "IQ4_NL is not supported")
	assert.ErrorContains(t, gguf.Quantize(dst, 4, x), "removed")
	assert.False(t, gguf.IQ4_NL.Encodes())
	assert.ErrorIs(t, gguf.Quantize(dst[:2], gguf.F16, []float32{65520}), gguf.ErrRange)
	require.NoError(t, gguf.Quantize(dst[:2], gguf.F16, []float32{65519}))
	require.NoError(t, gguf.Quantize(dst[:2], gguf.F16, []float32{float32(math.Inf(-1))}), "an infinity is what it was")
}

// TestQuantizeExact encodes numbers that the type can hold: nothing is lost.
func TestQuantizeExact(t *testing.T) {
	for _, typ := range append([]gguf.Type{gguf.F32}, append(leastError, byteEqual...)...) {
		x := make([]float32, 256)
		for i := range x {
			x[i] = float32(i%4) - 2 // four levels from -2, so that 2 bits do
			if typ == gguf.Q4_1 || typ == gguf.Q5_1 {
				x[i] = float32(i%2) * 31 // of steps that are halves
			}
		}
		got, err := encoded(x, typ)
		require.NoError(t, err)
		back := make([]float32, len(x))
		require.NoError(t, gguf.Dequantize(back, typ, got))
		loss := gguf.Compare(x, back)
		limit := 5e-3 // 2/127 is no half float
		if typ.BlockLen() == 1 {
			limit = 0
		}
		assert.LessOrEqual(t, loss.Relative(), limit, typ)
		assert.LessOrEqual(t, loss.Most, 2*limit, typ)
	}
	assert.Zero(t, gguf.Loss{}.RMSE())
	sum := gguf.Compare([]float32{3}, []float32{1})
	sum.Add(gguf.Compare([]float32{-4, 0}, []float32{-4, 1}))
	assert.Equal(t, gguf.Loss{Count: 3, Square: 5, Signal: 25, Most: 2}, sum)
}
