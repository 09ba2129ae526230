package tensor_test

import (
	"math"
	"testing"

	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/require"
)

func TestParamsConvertWithOneRounding(t *testing.T) {
	// 1 + 2⁻⁸ is half-way between two bfloat16 numbers; what decides is far
	// behind the digits of float32.
	half, more, less := 1+math.Pow(2, -8), 1+math.Pow(2, -8)+math.Pow(2, -40), 1+math.Pow(2, -8)-math.Pow(2, -40)
	p, err := tensor.NewParam("w", []float64{half, more, less, -more, 1e300, math.Inf(-1), 3}, 7)
	require.NoError(t, err)
	b, err := p.Convert(tensor.BFloat16)
	require.NoError(t, err)
	require.Equal(t, tensor.BFloat16, b.Dtype())
	up := float32(1 + math.Pow(2, -7))
	require.Equal(t, []float32{1, up, 1, -up, float32(math.Inf(1)), float32(math.Inf(-1)), 3}, b.Float32s())
	// The same for float16, whose neighbours of 1 are 2⁻¹⁰ apart.
	p, err = tensor.NewParam("w", []float64{1 + math.Pow(2, -11), 1 + math.Pow(2, -11) + math.Pow(2, -40)}, 2)
	require.NoError(t, err)
	h, err := p.Convert(tensor.Float16)
	require.NoError(t, err)
	require.Equal(t, []float32{1, float32(1 + math.Pow(2, -10))}, h.Float32s())

	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64, tensor.BFloat16, tensor.Float16} {
		q, err := b.Convert(dt)
		require.NoError(t, err)
		require.Equal(t, b.Float32s()[:4], q.Float32s()[:4], dt.String())
		require.Equal(t, 7*int(dt.Size()), q.Bytes())
	}
	_, err = b.Convert(tensor.Int32)
	require.ErrorContains(t, err, "parameter w: cannot store weights as int32")
}

func TestParamFaults(t *testing.T) {
	_, err := tensor.NewParam("", []float32{1}, 1)
	require.ErrorContains(t, err, "without a name")
	_, err = tensor.NewParam("w", []float32{1, 2}, 3)
	require.ErrorContains(t, err, "parameter w: shape [3] has 3 elements, got 2")
	_, err = tensor.NewParam("w", []float32{1})
	require.Error(t, err, "a scalar is no parameter")
	_, err = tensor.NewParam("w", []int32{1}, 1)
	require.ErrorContains(t, err, "cannot store weights")
	p, err := tensor.NewParam("w", []tensor.F16{1, 2}, 2)
	require.NoError(t, err)
	require.ErrorContains(t, p.SetTrainable(true), "cannot be trained")
	require.ErrorContains(t, p.Set([]float64{1}), "parameter w")
}

func TestParamSetKeepsTypeAndGradient(t *testing.T) {
	p, err := tensor.NewParam("w", []float32{1, 2}, 2)
	require.NoError(t, err)
	require.NoError(t, p.SetTrainable(true))
	old := p.Data()
	version := p.Version()
	require.NoError(t, p.Set([]float64{0.1, 5}))
	require.Equal(t, []float32{0.1, 5}, p.Data())
	require.Equal(t, []float32{1, 2}, old, "the old memory, a mapped file perhaps, is not written to")
	require.Greater(t, p.Version(), version)
	require.Len(t, p.Grad(), 2)
	p.Grad()[0] = 3
	p.ZeroGrad()
	require.Zero(t, p.Grad()[0])
	require.NoError(t, p.SetTrainable(false))
	require.Nil(t, p.Grad())
	_, err = tensor.Compile(tensor.NewGraph(), nil, tensor.CompileOptions{Accumulate: []tensor.Accumulation{{Into: p}}})
	require.ErrorContains(t, err, "parameter w has no gradient accumulator")
}
