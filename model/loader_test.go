package model_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/llama"
	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func param[T tensor.Element](t *testing.T, data []T) *tensor.Param {
	t.Helper()
	p, err := tensor.NewParam("w", data, len(data))
	require.NoError(t, err)
	return p
}

// A NaN is found at any place, whatever the alignment of the memory and the type,
// and numbers that look like one are not.
func TestCheckFiniteFindsTheFirst(t *testing.T) {
	const n = 1<<18 + 77 // more than one piece
	for _, offset := range []int{0, 1, 3} {
		f32 := make([]float32, n+offset)[offset:]
		half := make([]tensor.BF16, n+offset)[offset:]
		f16 := make([]tensor.F16, n+offset)[offset:]
		f64 := make([]float64, n+offset)[offset:]
		for i := range f32 {
			f32[i], half[i], f16[i], f64[i] = math.MaxFloat32, 0x7f7f, 0x7bff, math.MaxFloat64 // the largest finite numbers
			if i%2 == 0 {
				f32[i], half[i], f16[i], f64[i] = -f32[i], 0xff7f, 0xfbff, -f64[i]
			}
		}
		params := []*tensor.Param{param(t, f32), param(t, half), param(t, f16), param(t, f64)}
		for _, p := range params {
			require.NoError(t, model.CheckFinite(p))
		}
		for _, at := range []int{n - 1, 1 << 18, 1000, 1, 0} {
			f32[at], half[at], f16[at], f64[at] = float32(math.Inf(-1)), 0x7f80, 0x7c01, math.NaN()
			for _, p := range params {
				err := model.CheckFinite(p)
				require.ErrorIs(t, err, model.ErrBadWeight, "%v", p.Dtype())
				assert.ErrorContains(t, err, fmt.Sprintf("element %d", at), "%v at offset %d", p.Dtype(), offset)
			}
		}
	}
}

const small = `{"model_type": "llama", "vocab_size": 11, "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 1,
	"num_attention_heads": 2, "max_position_embeddings": 32}`

func build(t *testing.T, src model.Source, o model.LoadOptions) model.Model {
	t.Helper()
	c, err := model.ParseConfig([]byte(small), model.Defaults{})
	require.NoError(t, err)
	m, err := llama.New(c, model.NewLoader(c, src, o))
	require.NoError(t, err)
	return m
}

func TestRandomWeightsDependOnSeedAndNameOnly(t *testing.T) {
	a, b, c := build(t, model.Random{Seed: 1}, model.LoadOptions{}), build(t, model.Random{Seed: 1}, model.LoadOptions{}), build(t, model.Random{Seed: 2}, model.LoadOptions{})
	assert.Equal(t, a.Head().Data(), b.Head().Data())
	assert.NotEqual(t, a.Head().Data(), c.Head().Data())
	sum := 0.0
	for _, x := range a.Head().Data() {
		sum += float64(x) * float64(x)
	}
	// 88 numbers: the deviation of their standard deviation is 8 %.
	assert.InDelta(t, 0.02, math.Sqrt(sum/float64(a.Head().Len())), 0.005)
	for name, p := range a.Params() {
		if len(p.Shape()) == 1 {
			for _, x := range p.Data() {
				assert.EqualValues(t, 1, x, name)
			}
		}
	}
	_, err := model.Random{}.Param("x")
	require.ErrorIs(t, err, model.ErrMissingWeight)
}

func TestLoadOptionsChooseTheStorageType(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64, tensor.BFloat16, tensor.Float16} {
		m := build(t, model.Random{Seed: 1}, model.LoadOptions{Weights: dt})
		vectors := tensor.Float32
		if dt == tensor.Float64 {
			vectors = dt
		}
		for name, p := range m.Params() {
			want := dt
			if len(p.Shape()) == 1 {
				want = vectors
			}
			assert.Equal(t, want, p.Dtype(), name)
		}
	}
}

func TestWeightsShareParametersAndCopiesDoNot(t *testing.T) {
	m := build(t, model.Random{Seed: 1}, model.LoadOptions{})
	w, err := model.CopyWeights(m)
	require.NoError(t, err)
	again := build(t, w, model.LoadOptions{})
	assert.Same(t, w["lm_head.weight"], again.Head())
	again.Head().Data()[0]++
	assert.NotEqual(t, m.Head().Data()[0], again.Head().Data()[0])
	_, err = w.Param("nothing")
	require.ErrorIs(t, err, model.ErrMissingWeight)
}

func TestSkipFiniteCheck(t *testing.T) {
	w, err := model.CopyWeights(build(t, model.Random{Seed: 1}, model.LoadOptions{}))
	require.NoError(t, err)
	w["lm_head.weight"].Data()[0] = float32(math.NaN())
	build(t, w, model.LoadOptions{SkipFiniteCheck: true})
}

func TestParamCount(t *testing.T) {
	m := build(t, model.Random{Seed: 1}, model.LoadOptions{})
	total, trainable := model.ParamCount(m)
	assert.Equal(t, 2*11*8+4*8*8+3*8*12+3*8, total)
	assert.Zero(t, trainable)
	require.NoError(t, m.Head().SetTrainable(true))
	_, trainable = model.ParamCount(m)
	assert.Equal(t, 11*8, trainable)
}

func ExampleRandom() {
	c, err := model.ParseConfig([]byte(small), model.Defaults{})
	if err != nil {
		panic(err)
	}
	m, err := llama.New(c, model.NewLoader(c, model.Random{Seed: 1}, model.LoadOptions{}))
	if err != nil {
		panic(err)
	}
	total, _ := model.ParamCount(m)
	fmt.Println(total, "parameters")
	for path := range m.Linears() {
		fmt.Println(path)
	}
	// Output:
	// 744 parameters
	// model.layers.0.self_attn.q_proj
	// model.layers.0.self_attn.k_proj
	// model.layers.0.self_attn.v_proj
	// model.layers.0.self_attn.o_proj
	// model.layers.0.mlp.gate_proj
	// model.layers.0.mlp.up_proj
	// model.layers.0.mlp.down_proj
}
