package houlsby_test

import (
	"encoding/json"
	"iter"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/auto"
	"github.com/posttrain/posttrain/model/houlsby"
	"github.com/posttrain/posttrain/model/modeltest"
	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tiny is a random model of a family.
func tiny(t testing.TB, family string, dt tensor.Dtype) model.Model {
	t.Helper()
	raw := `{"model_type": "` + family + `", "vocab_size": 31, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "hidden_act": "silu",
		"num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 64, "tie_word_embeddings": false, "head_dim": 8,
		"query_pre_attn_scalar": 8, "original_max_position_embeddings": 64}`
	m, err := auto.New([]byte(raw), model.Random{Seed: 1, Std: 0.3, Jitter: 0.1}, model.LoadOptions{Weights: dt})
	require.NoError(t, err)
	return m
}

var tinyRows = [][]int32{{3, 1, 4, 1, 5, 9, 2, 6}, {2, 7, 1, 8}}

func compute(t *testing.T, m model.Model, adapter string) *modeltest.Pass {
	t.Helper()
	p, err := modeltest.Compute(m, tinyRows, modeltest.PassOptions{Adapter: adapter})
	require.NoError(t, err)
	return p
}

// scramble gives every parameter values that are not zero.
func scramble(t *testing.T, a *houlsby.Adapter) {
	k := 0
	for _, p := range a.Params() {
		v := make([]float64, p.Len())
		for i := range v {
			k++
			v[i] = float64(k*7919%101-50) / 100
		}
		require.NoError(t, p.Set(v))
	}
}

// families are those whose layers differ in names or order.
var families = []string{"llama", "qwen3", "gemma3_text", "olmo2", "phi3", "gpt_neox", "gpt2", "granite", "smollm3"}

// TestAFreshAdapterIsTheIdentity checks F11 of the method cards: |Δ| < 1e-6 at the
// start; here it is 0. It wants an adapter after both blocks of every layer.
func TestAFreshAdapterIsTheIdentity(t *testing.T) {
	for _, family := range families {
		t.Run(family, func(t *testing.T) {
			m := tiny(t, family, tensor.Float32)
			want := compute(t, m, "")
			a, err := houlsby.Attach(m, "a", houlsby.Config{Width: 4, Seed: 2})
			require.NoError(t, err)
			assert.True(t, a.Zero())
			assert.Equal(t, want, compute(t, m, "a"))
			n, trainable := 0, 0
			for _, p := range a.Params() {
				n += p.Len()
				if p.Trainable() {
					trainable += p.Len()
				}
			}
			assert.Equal(t, 2*2*(2*4*16+4+16), n, "two adapters in each of two layers")
			assert.Equal(t, n, trainable)
			scramble(t, a)
			assert.False(t, a.Zero())
			got := compute(t, m, "a")
			d, _ := modeltest.Farthest(got.Hidden, want.Hidden)
			assert.Greater(t, d, 1e-2)
			assert.Equal(t, want, compute(t, m, ""), "the base is what it was")
			a.Remove()
			assert.Equal(t, want, compute(t, m, "a"))
			assert.False(t, model.HasAdapter(m, "a"))
		})
	}
}

// formulaTolerance bounds two float64 computations of one layer.
const formulaTolerance = 1e-13

// TestTheFormula computes h + W_up·GELU(W_down·h + b) + b by hand behind the output
// of the last feed-forward block, where nothing but the residual follows.
func TestTheFormula(t *testing.T) {
	m := tiny(t, "llama", tensor.Float64)
	layers := func(adapter string) [][]float64 {
		p, err := modeltest.Compute(m, tinyRows, modeltest.PassOptions{Adapter: adapter, Layers: true})
		require.NoError(t, err)
		return p.Layers
	}
	const path = "model.layers.1.mlp.down_proj"
	a, err := houlsby.Attach(m, "a", houlsby.Config{Width: 3, Targets: []string{path}})
	require.NoError(t, err)
	scramble(t, a)
	// With h scaled to zero by a zero weight, the adapter is act(b_down) through W_up.
	var weight *tensor.Param
	for name, l := range m.Linears() {
		if name == path {
			weight = l.Weight
		}
	}
	require.NoError(t, weight.Set(make([]float64, weight.Len())))
	before, after := layers("")[2], layers("a")[2]
	var p []*tensor.Param
	for _, q := range a.Params() {
		p = append(p, q)
	}
	bias, up, upBias := p[1].Data64(), p[2].Data64(), p[3].Data64()
	for i := range after {
		d := i % 16
		want := upBias[d]
		for j, b := range bias {
			want += up[d*3+j] * b * (1 + math.Erf(b/math.Sqrt2)) / 2
		}
		require.InDelta(t, want, after[i]-before[i], formulaTolerance)
	}
}

// trained shows the parameters of an adapter as those of its model.
type trained struct {
	model.Model
	adapter *houlsby.Adapter
}

// Params lists the adapter's parameters.
func (m trained) Params() iter.Seq2[string, *tensor.Param] { return m.adapter.Params() }

// gradientTolerance bounds the distance of a gradient from central differences of
// step 1e-5 in float64, relative to the largest of it.
const gradientTolerance = 1e-7

func TestGradients(t *testing.T) {
	m := tiny(t, "gemma3_text", tensor.Float64)
	a, err := houlsby.Attach(m, "a", houlsby.Config{Width: 2})
	require.NoError(t, err)
	scramble(t, a)
	var weights [][]float64
	for _, row := range tinyRows {
		weights = append(weights, slices.Repeat([]float64{1}, len(row)))
	}
	o := modeltest.PassOptions{Adapter: "a", Weights: weights}
	pass, err := modeltest.Compute(trained{m, a}, tinyRows, o)
	require.NoError(t, err)
	loss := func() float64 {
		p, err := modeltest.Compute(m, tinyRows, o)
		require.NoError(t, err)
		return p.Loss
	}
	for name, q := range a.Params() {
		_, largest := modeltest.Farthest(pass.Grads[name], pass.Grads[name])
		require.Positive(t, largest, name)
		for i := 0; i < q.Len(); i += max(1, q.Len()/3) {
			const step = 1e-5
			x := q.Data64()
			old := x[i]
			x[i] = old + step
			up := loss()
			x[i] = old - step
			down := loss()
			x[i] = old
			assert.InDelta(t, (up-down)/(2*step), pass.Grads[name][i], gradientTolerance*max(1, largest), "%s[%d]", name, i)
		}
	}
}

func TestSavedAdaptersComputeTheSame(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64, tensor.BFloat16} {
		m, dir := tiny(t, "llama", dt), filepath.Join(t.TempDir(), "a")
		a, err := houlsby.Attach(m, "a", houlsby.Config{Width: 4, Activation: "relu", Seed: 3})
		require.NoError(t, err)
		scramble(t, a)
		require.NoError(t, a.Save(dir, "some/model"))
		b, err := houlsby.Load(m, "b", dir)
		require.NoError(t, err)
		assert.Equal(t, compute(t, m, "a"), compute(t, m, "b"))
		assert.Equal(t, "some/model", b.Config().BaseModel)
		for _, p := range b.Params() {
			assert.False(t, p.Trainable())
			require.NoError(t, p.Set(make([]float64, p.Len())))
		}
		require.NoError(t, b.Restore(dir))
		assert.Equal(t, compute(t, m, "a"), compute(t, m, "b"))
	}
}

func TestFaultsAreNamed(t *testing.T) {
	m, dir := tiny(t, "llama", tensor.Float32), t.TempDir()
	_, err := houlsby.Attach(m, "a", houlsby.Config{Width: -1, Activation: "step", Targets: []string{""}})
	require.ErrorIs(t, err, houlsby.ErrConfig)
	for _, want := range []string{"width is -1, want 1 to 1048576 (0 for 64)", `got "step"`, "a target has no name"} {
		assert.ErrorContains(t, err, want)
	}
	_, err = houlsby.Attach(m, "a", houlsby.Config{Targets: []string{"q"}})
	assert.ErrorIs(t, err, houlsby.ErrNoTarget)
	_, err = houlsby.Attach(m, "", houlsby.Config{})
	assert.ErrorContains(t, err, "no name")
	a, err := houlsby.Attach(m, "a", houlsby.Config{Width: 4})
	require.NoError(t, err)
	_, err = houlsby.Attach(m, "a", houlsby.Config{})
	assert.ErrorContains(t, err, `has an adapter "a" already`)
	require.NoError(t, a.Save(dir, ""))
	path := filepath.Join(dir, "adapter_config.json")
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	var fields map[string]any
	require.NoError(t, json.Unmarshal(raw, &fields))
	for _, c := range []struct {
		key   string
		value any
		want  string
	}{
		{"peft_type", "LORA", `peft_type is "LORA", want "HOULSBY"`},
		{"bottleneck", 0, "bottleneck is 0"},
		{"bottleneck", 1 << 20, "want the 33554432 numbers that the configuration speaks of"},
		{"bottleneck", 5, "has shape [4 16], want [5 16]"},
		{"target_modules", []string{"o_proj"}, "tensor model.layers.0.mlp.down_proj.adapter_down.bias is unknown"},
		{"residual", true, "residual: got true, which is not supported"},
	} {
		changed := maps.Clone(fields)
		changed[c.key] = c.value
		raw, err := json.Marshal(changed)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, raw, 0o644))
		_, err = houlsby.Load(m, "b", dir)
		assert.ErrorContains(t, err, c.want)
	}
}
