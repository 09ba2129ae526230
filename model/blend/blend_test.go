package blend_test

import (
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/model/blend"
	"github.com/posttrain/posttrain/tensor"
)

// set is one parameter named w.
func set(t *testing.T, values []float64, shape ...int) blend.Set {
	p, err := tensor.NewParam("w", append([]float64(nil), values...), shape...)
	require.NoError(t, err)
	return one(p)
}

func one(p *tensor.Param) iter.Seq2[string, *tensor.Param] {
	return func(yield func(string, *tensor.Param) bool) { yield(p.Name(), p) }
}

func values(s blend.Set) []float64 {
	for _, p := range s {
		return p.Data64()
	}
	return nil
}

func flat(rows [][]float64) (list []float64) {
	for _, r := range rows {
		list = append(list, r...)
	}
	return list
}

// TestTIESEqualsPEFT compares with PEFT's merge_utils (testdata/blend.py).
func TestTIESEqualsPEFT(t *testing.T) {
	raw, err := os.ReadFile("testdata/blend.json")
	require.NoError(t, err)
	var file struct {
		Base  [][]float64
		Tasks [][][]float64
		TIES  []struct {
			Density float64
			Factors []float64
			Merged  [][]float64
		}
	}
	require.NoError(t, json.Unmarshal(raw, &file))
	base := flat(file.Base)
	var models []blend.Set
	for _, task := range file.Tasks {
		trained := append([]float64(nil), base...)
		for i, x := range flat(task) {
			trained[i] += x
		}
		models = append(models, set(t, trained, 6, 7))
	}
	for _, c := range file.TIES {
		dst := set(t, base, 6, 7)
		require.NoError(t, blend.Weights(dst, set(t, base, 6, 7), models, blend.TIES{Density: c.Density, Factors: c.Factors}))
		for i, want := range flat(c.Merged) {
			// The task vectors are differences here and exact there.
			assert.InDelta(t, want, values(dst)[i]-base[i], 1e-14, "density %g, factors %v, element %d", c.Density, c.Factors, i)
		}
	}
}

func TestLinearByHand(t *testing.T) {
	dst := set(t, []float64{0, 0}, 2)
	models := []blend.Set{set(t, []float64{1, 2}, 2), set(t, []float64{3, -2}, 2)}
	require.NoError(t, blend.Weights(dst, nil, models, blend.Linear{}))
	assert.Equal(t, []float64{2, 0}, values(dst))
	require.NoError(t, blend.Weights(dst, nil, models, blend.Linear{Factors: []float64{3, 1}}))
	assert.Equal(t, []float64{1.5, 1}, values(dst))
	require.NoError(t, blend.Weights(dst, nil, models[:1], blend.Linear{}), "one model is itself")
	assert.Equal(t, []float64{1, 2}, values(dst))
}

func TestSLERPByHand(t *testing.T) {
	dst := set(t, []float64{0, 0}, 2)
	models := []blend.Set{set(t, []float64{1, 0}, 2), set(t, []float64{0, 1}, 2)}
	for _, part := range []float64{0, 1. / 3, 0.5, 1} {
		require.NoError(t, blend.Weights(dst, nil, models, blend.SLERP{T: part}))
		assert.InDeltaSlice(t, []float64{math.Cos(part * math.Pi / 2), math.Sin(part * math.Pi / 2)}, values(dst), 1e-15)
	}
	// Of task vectors: the same around another origin.
	base := set(t, []float64{5, -3}, 2)
	moved := []blend.Set{set(t, []float64{6, -3}, 2), set(t, []float64{5, -2}, 2)}
	require.NoError(t, blend.Weights(dst, base, moved, blend.SLERP{T: 0.5, Task: true}))
	assert.InDeltaSlice(t, []float64{5 + math.Sqrt(0.5), -3 + math.Sqrt(0.5)}, values(dst), 1e-15)
	// Parallel and zero tensors: the straight line.
	require.NoError(t, blend.Weights(dst, nil, []blend.Set{set(t, []float64{1, 1}, 2), set(t, []float64{3, 3}, 2)}, blend.SLERP{T: 0.5}))
	assert.Equal(t, []float64{2, 2}, values(dst))
	require.NoError(t, blend.Weights(dst, nil, []blend.Set{set(t, []float64{0, 0}, 2), set(t, []float64{2, 4}, 2)}, blend.SLERP{T: 0.25}))
	assert.Equal(t, []float64{0.5, 1}, values(dst))
}

// TestDAREKeepsTheMean checks what is dropped and that the rest makes up for it.
func TestDAREKeepsTheMean(t *testing.T) {
	const n, density = 20000, 0.25
	ones := make([]float64, n)
	for i := range ones {
		ones[i] = 1
	}
	base := set(t, make([]float64, n), n)
	dst := set(t, make([]float64, n), n)
	require.NoError(t, blend.Weights(dst, base, []blend.Set{set(t, ones, n)}, blend.DARE{Density: density, Seed: 7}))
	kept := 0
	for _, x := range values(dst) {
		if x != 0 {
			assert.Equal(t, 1/density, x)
			kept++
		}
	}
	assert.InDelta(t, density, float64(kept)/n, 4*math.Sqrt(density*(1-density)/n), "four standard deviations")
	again := set(t, make([]float64, n), n)
	require.NoError(t, blend.Weights(again, base, []blend.Set{set(t, ones, n)}, blend.DARE{Density: density, Seed: 7}))
	assert.Equal(t, values(dst), values(again))
	require.NoError(t, blend.Weights(again, base, []blend.Set{set(t, ones, n)}, blend.DARE{Density: density, Seed: 8}))
	assert.NotEqual(t, values(dst), values(again))
	require.NoError(t, blend.Weights(again, base, []blend.Set{set(t, ones, n), set(t, ones, n)}, blend.DARE{Density: 1, Scale: 0.5}), "nothing dropped: the sum")
	assert.Equal(t, ones, values(again))
}

func TestDestinationMayBeASource(t *testing.T) {
	a, b := set(t, []float64{1, 2}, 2), set(t, []float64{3, 4}, 2)
	require.NoError(t, blend.Weights(a, nil, []blend.Set{a, b}, blend.Linear{}))
	assert.Equal(t, []float64{2, 3}, values(a))
}

func TestRoundsOnceToTheTypeOfTheDestination(t *testing.T) {
	p, err := tensor.NewParam("w", []tensor.BF16{0, 0}, 2)
	require.NoError(t, err)
	before := p.Version()
	require.NoError(t, blend.Weights(one(p), nil, []blend.Set{set(t, []float64{1, 1.001}, 2), set(t, []float64{2, 3}, 2)}, blend.Linear{}))
	assert.Equal(t, []float32{1.5, 2}, p.Float32s())
	assert.NotEqual(t, before, p.Version(), "packed copies must be made again")
}

func TestRefusesWhatDoesNotFit(t *testing.T) {
	w := set(t, []float64{1, 2}, 2)
	wide := set(t, []float64{1, 2, 3}, 3)
	other, err := tensor.NewParam("v", []float64{1, 2}, 2)
	require.NoError(t, err)
	nan := set(t, []float64{math.Inf(1), 2}, 2)
	for name, c := range map[string]struct {
		base   blend.Set
		models []blend.Set
		m      blend.Method
		want   string
	}{
		"shape":      {nil, []blend.Set{w, wide}, blend.Linear{}, "w has shape [3] in model 1, want [2]"},
		"name":       {nil, []blend.Set{one(other)}, blend.Linear{}, "has v, which the destination lacks"},
		"none":       {nil, nil, blend.Linear{}, "got no models"},
		"factors":    {nil, []blend.Set{w}, blend.Linear{Factors: []float64{1, 2}}, "got 2 for 1 models"},
		"zero":       {nil, []blend.Set{w, w}, blend.Linear{Factors: []float64{1, -1}}, "not 0"},
		"NaN factor": {nil, []blend.Set{w}, blend.Linear{Factors: []float64{math.NaN()}}, "finite"},
		"slerp":      {nil, []blend.Set{w}, blend.SLERP{}, "want two"},
		"slerp t":    {nil, []blend.Set{w, w}, blend.SLERP{T: 2}, "[0, 1]"},
		"no base":    {nil, []blend.Set{w}, blend.TIES{}, "got base false, want true"},
		"base":       {w, []blend.Set{w}, blend.Linear{}, "got base true, want false"},
		"density":    {w, []blend.Set{w}, blend.TIES{Density: 2}, "Density"},
		"scale":      {w, []blend.Set{w}, blend.DARE{Scale: math.Inf(1)}, "Scale"},
		"infinite":   {nil, []blend.Set{nan}, blend.Linear{}, "want a finite number"},
	} {
		dst := set(t, []float64{8, 9}, 2)
		err := blend.Weights(dst, c.base, c.models, c.m)
		assert.ErrorContains(t, err, c.want, name)
		assert.Equal(t, []float64{8, 9}, values(dst), fmt.Sprintf("%s: nothing changed", name))
	}
}
