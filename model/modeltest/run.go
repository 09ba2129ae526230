package modeltest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Run checks a family with tiny random models of the given config.json. Choose
// sizes below 100 and let the configuration show what is special about the
// family: a sliding window below 10, a head width of its own, tied and untied
// heads in two runs. The number of layers should be at least 2.
func Run(t *testing.T, f model.Family, config string) {
	s := &suite{family: f, config: config}
	for _, c := range []struct {
		name  string
		check func(t *testing.T)
	}{
		{"Configuration", s.configuration},
		{"Listing", s.listing},
		{"Gradients", s.gradients},
		{"Causality", s.causality},
		{"Packing", s.packing},
		{"Order", s.order},
		{"SharedPrefix", s.sharedPrefix},
		{"CachedDecoding", s.cachedDecoding},
		{"StorageTypes", s.storageTypes},
		{"SaveAndLoad", s.saveAndLoad},
		{"WrongWeights", s.wrongWeights},
	} {
		t.Run(c.name, c.check)
	}
}

// Standard deviations of tiny models: large enough that every part matters, so
// that the difference of a forgotten one is far above rounding.
const (
	tinyStd    = 0.3
	tinyJitter = 0.2
)

// exact is how closely float64 runs agree whose sums have another order, relative
// to the largest number.
const exact = 1e-11

// Tiny makes a random model of a family. Matrices have a standard deviation of
// 0.3, and norm weights and biases vary too. Its parameters are float32 or
// float64.
func Tiny(f model.Family, config string, seed uint64, dt tensor.Dtype) (model.Model, error) {
	c, err := model.ParseConfig([]byte(config), f.Defaults)
	if err != nil {
		return nil, err
	}
	src := model.Random{Seed: seed, Std: tinyStd, Jitter: tinyJitter}
	return f.New(c, model.NewLoader(c, src, model.LoadOptions{Weights: dt}))
}

// suite is one call of Run.
type suite struct {
	family model.Family
	config string
}

func (s *suite) tiny(t *testing.T, dt tensor.Dtype) model.Model {
	t.Helper()
	m, err := Tiny(s.family, s.config, 1, dt)
	require.NoError(t, err)
	return m
}

// load builds the family's model from given weights.
func (s *suite) load(w model.Source, o model.LoadOptions) (model.Model, error) {
	c, err := model.ParseConfig([]byte(s.config), s.family.Defaults)
	if err != nil {
		return nil, err
	}
	return s.family.New(c, model.NewLoader(c, w, o))
}

// rows draws token ids.
func rows(m model.Model, lengths ...int) [][]int32 {
	rng := rand.New(rand.NewPCG(1, 2))
	out := make([][]int32, len(lengths))
	for i, n := range lengths {
		for range n {
			out[i] = append(out[i], rng.Int32N(int32(m.Config().VocabSize)))
		}
	}
	return out
}

// lengthDependent says whether results of a row depend on its length, so that a
// row and its beginning differ.
func lengthDependent(m model.Model) bool {
	c := m.Config()
	return c.RoPE.LengthDependent() || c.LocalRoPE.LengthDependent()
}

// near wants two lists to agree but for the order of sums.
func near(t *testing.T, want, got []float64, format string, args ...any) {
	t.Helper()
	require.NotEmpty(t, want)
	d, size := Farthest(got, want)
	assert.LessOrEqual(t, d, exact*max(size, 1), "%s", fmt.Sprintf(format, args...))
}

func compute(t *testing.T, m model.Model, rows [][]int32, o PassOptions) *Pass {
	t.Helper()
	p, err := Compute(m, rows, o)
	require.NoError(t, err)
	return p
}

// configuration wants the configuration to survive being written and read.
func (s *suite) configuration(t *testing.T) {
	m := s.tiny(t, tensor.Float32)
	c := m.Config()
	assert.Equal(t, s.family.ModelType, c.ModelType)
	require.NotEmpty(t, c.Raw)
	again, err := model.ParseConfig(c.Raw, s.family.Defaults)
	require.NoError(t, err)
	assert.Equal(t, c.VocabSize, again.VocabSize)
	assert.Equal(t, c.LayerTypes, again.LayerTypes)
	assert.Equal(t, c.RoPE, again.RoPE)
}

// listing wants names that are unique, in a stable order, and linear layers made
// of parameters.
func (s *suite) listing(t *testing.T) {
	a, b := s.tiny(t, tensor.Float32), s.tiny(t, tensor.Float32)
	names := func(m model.Model) (list []string) {
		for name, p := range m.Params() {
			assert.Equal(t, name, p.Name())
			assert.NotContains(t, list, name)
			list = append(list, name)
		}
		return list
	}
	params := names(a)
	assert.Equal(t, params, names(b))
	var paths []string
	for path, l := range a.Linears() {
		assert.Equal(t, path, l.Path)
		assert.NotContains(t, paths, path)
		assert.Contains(t, params, path+".weight")
		paths = append(paths, path)
	}
	assert.GreaterOrEqual(t, len(paths), a.Config().NumHiddenLayers, "linear layers")
	assert.Same(t, a.Head(), a.Output().Weight)
	assert.Contains(t, params, a.Embedding().Weight.Name())
	assert.Equal(t, []int{a.Config().VocabSize, a.Config().HiddenSize}, a.Head().Shape())
	assert.Equal(t, a.Config().TieWordEmbeddings, a.Head() == a.Embedding().Weight)
	assert.Equal(t, !a.Config().TieWordEmbeddings, slices.Contains(params, a.Output().Path+".weight"))
}
