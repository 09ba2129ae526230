package bnb_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/tensor/bnb"
)

func TestEveryElementGetsItsNearestCode(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, kind := range []bnb.Kind{bnb.NF4, bnb.FP4} {
		for _, n := range []int{0, 1, 63, 64, 65, 129} {
			src := make([]float32, n)
			for i := range src {
				src[i] = float32(r.NormFloat64())
			}
			four, err := bnb.Quantize(src, kind, 64)
			require.NoError(t, err)
			got := make([]float32, n)
			require.NoError(t, four.Float32(got))
			for i, x := range src {
				scale := four.Absmax[i/64]
				best := math.Inf(1)
				for _, c := range four.Code {
					best = min(best, math.Abs(float64(c*scale-x)))
				}
				assert.InDelta(t, best, math.Abs(float64(got[i]-x)), 1e-6, "%s, %d elements, element %d", kind, n, i)
			}
		}
	}
}

func TestZerosStayZero(t *testing.T) {
	zeros := make([]float32, 100)
	four, err := bnb.Quantize(zeros, bnb.NF4, 64)
	require.NoError(t, err)
	got := []float32{99: 1}
	require.NoError(t, four.Float32(got))
	assert.Equal(t, zeros, got)
	e, err := bnb.QuantizeRows(zeros, 10)
	require.NoError(t, err)
	require.NoError(t, e.Float32(got))
	assert.Equal(t, zeros, got)
}

func TestRefusesWhatDoesNotFit(t *testing.T) {
	_, err := bnb.Quantize([]float32{1, float32(math.NaN())}, bnb.NF4, 64)
	assert.ErrorContains(t, err, "got NaN at element 1, want finite")
	_, err = bnb.Quantize(nil, "nf5", 64)
	assert.ErrorIs(t, err, bnb.ErrFormat)
	_, err = bnb.QuantizeRows(make([]float32, 7), 2)
	assert.ErrorContains(t, err, "want whole rows")
	good, err := bnb.Quantize(make([]float32, 128), bnb.NF4, 64)
	require.NoError(t, err)
	for name, spoil := range map[string]func(f *bnb.Four){
		"bytes":  func(f *bnb.Four) { f.Codes = f.Codes[1:] },
		"scales": func(f *bnb.Four) { f.Absmax = f.Absmax[1:] },
		"block":  func(f *bnb.Four) { f.Block = 0 },
	} {
		bad := good
		spoil(&bad)
		assert.ErrorIs(t, bad.Float32(make([]float32, 128)), bnb.ErrFormat, name)
	}
	assert.Error(t, good.Float32(make([]float32, 127)))
	assert.ErrorIs(t, bnb.Nested{Codes: make([]byte, 300), Absmax: make([]float32, 1), Block: 256}.Float32(make([]float32, 300)), bnb.ErrFormat)
	assert.ErrorIs(t, bnb.Eight{Codes: make([]int8, 5), Absmax: make([]float32, 2), Cols: 2}.Float32(make([]float32, 5)), bnb.ErrFormat)
}

func TestStateNamesItsFault(t *testing.T) {
	for text, want := range map[string]string{
		`{`: "unexpected end",
		`{"quant_type":"int4","blocksize":64,"dtype":"float32","shape":[2]}`:                       "nf4 or fp4",
		`{"quant_type":"nf4","blocksize":0,"dtype":"float32","shape":[2]}`:                         "blocks of 0",
		`{"quant_type":"nf4","blocksize":64,"dtype":"int8","shape":[2]}`:                           `dtype "int8"`,
		`{"quant_type":"nf4","blocksize":64,"dtype":"float32","shape":[]}`:                         "0 dimensions",
		`{"quant_type":"nf4","blocksize":64,"dtype":"float32","shape":[-1]}`:                       "positive sizes",
		`{"quant_type":"nf4","blocksize":64,"dtype":"float32","shape":[4611686018427387904,1024]}`: "at most",
		`{"quant_type":"nf4","blocksize":64,"dtype":"float32","shape":[2],"nested_blocksize":256}`: "nested_dtype",
	} {
		_, err := bnb.ParseState([]byte(text))
		assert.ErrorIs(t, err, bnb.ErrFormat, text)
		assert.ErrorContains(t, err, want, text)
	}
}

func FuzzParseState(f *testing.F) {
	f.Add([]byte(`{"quant_type": "nf4", "blocksize": 64, "dtype": "float32", "shape": [64, 192]}`))
	f.Add([]byte(`{"quant_type": "fp4", "blocksize": 64, "dtype": "float16", "shape": [7, 33], "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 0.05}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := bnb.ParseState(raw)
		if err != nil {
			return
		}
		if s.Len() < 1 || s.Block < 1 {
			t.Fatalf("accepted %+v", s)
		}
	})
}
