package modeltest

import (
	"math"
	"slices"
	"testing"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/safetensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// float32Error bounds a float32 run of a tiny model, relative to the largest
// number: some hundred roundings of 6e-8.
const float32Error = 2e-5

// storageTypes wants a model with 16-bit weights to give what the same numbers
// give as float32, and that to give what float64 gives.
func (s *suite) storageTypes(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.BFloat16, tensor.Float16, tensor.Float32} {
		small := s.tiny(t, dt)
		w, err := model.CopyWeights(small)
		require.NoError(t, err)
		wide, err := s.load(w, model.LoadOptions{Weights: tensor.Float64})
		require.NoError(t, err)
		assert.Equal(t, dt, small.Head().Dtype())
		got := compute(t, small, rows(small, 9, 4), PassOptions{})
		want := compute(t, wide, rows(small, 9, 4), PassOptions{})
		d, size := Farthest(got.Hidden, want.Hidden)
		assert.LessOrEqual(t, d, float32Error*size, "stored as %v", dt)
	}
}

// saveAndLoad wants weights to come back from a file bit for bit.
func (s *suite) saveAndLoad(t *testing.T) {
	m := s.tiny(t, tensor.Float32)
	dir := t.TempDir()
	var infos []safetensors.Info
	for name, p := range m.Params() {
		infos = append(infos, safetensors.Info{Name: name, Dtype: safetensors.F32, Shape: p.Shape()})
	}
	f, err := safetensors.CreateFolder(dir, infos, safetensors.FolderOptions{})
	require.NoError(t, err)
	for name, p := range m.Params() {
		require.NoError(t, f.WriteFloat32(name, p.Data()))
	}
	require.NoError(t, f.Close())
	folder, err := safetensors.OpenFolder(dir)
	require.NoError(t, err)
	w := model.Weights{}
	for name, x := range folder.Tensors() {
		data, err := x.Float32()
		require.NoError(t, err)
		w[name], err = tensor.NewParam(name, data, x.Shape()...)
		require.NoError(t, err)
	}
	require.NoError(t, folder.Close())
	again, err := s.load(w, model.LoadOptions{})
	require.NoError(t, err)
	a, b := compute(t, m, rows(m, 7), PassOptions{}), compute(t, again, rows(m, 7), PassOptions{})
	assert.Equal(t, a.Hidden, b.Hidden)
	assert.Equal(t, a.LogProb, b.LogProb)
}

// wrongWeights wants every weight that is missing, too many, of another shape or
// not finite to be an error that names it.
func (s *suite) wrongWeights(t *testing.T) {
	m := s.tiny(t, tensor.Float32)
	good, err := model.CopyWeights(m)
	require.NoError(t, err)
	_, err = s.load(good, model.LoadOptions{})
	require.NoError(t, err)
	for name, p := range m.Params() {
		w := mapWithout(good, name)
		_, err := s.load(w, model.LoadOptions{})
		require.ErrorIs(t, err, model.ErrMissingWeight)
		assert.ErrorContains(t, err, name)

		w[name], err = tensor.NewParam(name, make([]float32, p.Len()+1), p.Len()+1)
		require.NoError(t, err)
		_, err = s.load(w, model.LoadOptions{})
		require.ErrorIs(t, err, model.ErrBadWeight)
		assert.ErrorContains(t, err, name)

		odd := slices.Clone(p.Data())
		odd[len(odd)/2] = float32(math.NaN())
		w[name], err = tensor.NewParam(name, odd, p.Shape()...)
		require.NoError(t, err)
		_, err = s.load(w, model.LoadOptions{})
		require.ErrorIs(t, err, model.ErrBadWeight)
		assert.ErrorContains(t, err, name)
	}
	_, err = s.load(model.Weights{}, model.LoadOptions{})
	for name := range m.Params() {
		require.ErrorContains(t, err, name, "all that is missing in one error")
	}
	extra := mapWithout(good, "")
	extra["model.layers.0.of_another_model.weight"] = m.Head()
	_, err = s.load(extra, model.LoadOptions{})
	require.ErrorIs(t, err, model.ErrUnusedWeight)
	assert.ErrorContains(t, err, "of_another_model")
	_, err = s.load(extra, model.LoadOptions{IgnoreUnused: true})
	assert.NoError(t, err)
}

func mapWithout(w model.Weights, name string) model.Weights {
	out := model.Weights{}
	for n, p := range w {
		if n != name {
			out[n] = p
		}
	}
	return out
}
