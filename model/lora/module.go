package lora

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/posttrain/posttrain/model"
	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
)

// module is one adapted layer.
type module struct {
	path     string
	weight   *tensor.Param           // of the layer: (out, in), or (in, out) of an embedding
	adapters *map[string]*nn.LowRank // of the layer
	lookup   bool                    // the layer is an embedding
	inner    bool                    // the layer is neither embedding nor head
	rank     int
	scale    float64
	low      *nn.LowRank
}

// layers lists every layer of m that can be adapted, in the order of the forward
// pass.
func layers(m model.Model) []*module {
	e, o := m.Embedding(), m.Output()
	list := []*module{{path: e.Path, weight: e.Weight, adapters: &e.Adapters, lookup: true}}
	for path, l := range m.Linears() {
		list = append(list, &module{path: path, weight: l.Weight, adapters: &l.Adapters, inner: true})
	}
	return append(list, &module{path: o.Path, weight: o.Weight, adapters: &o.Adapters})
}

// choose lists the layers of m that c adapts, with rank and scale.
func choose(m model.Model, name string, c Config) ([]*module, error) {
	match, err := newMatcher(c)
	if err != nil {
		return nil, err
	}
	if err := free(m, name); err != nil {
		return nil, err
	}
	var chosen []*module
	for _, mod := range layers(m) {
		if match.adapts(mod.path, mod.inner) {
			mod.rank, mod.scale = match.size(mod.path)
			chosen = append(chosen, mod)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("%w: %q%s", ErrNoTarget, c.Targets, c.TargetPattern)
	}
	return chosen, nil
}

// free is nil if a new adapter of m can have that name.
func free(m model.Model, name string) error {
	if name == "" {
		return fmt.Errorf("lora: the adapter has no name")
	}
	for _, mod := range layers(m) {
		if (*mod.adapters)[name] != nil {
			return fmt.Errorf("lora: the model has an adapter %q already", name)
		}
	}
	return nil
}

// in and out are the numbers of features of the layer; an embedding's input
// features are the vocabulary.
func (m *module) in() int {
	if m.lookup {
		return m.weight.Shape()[0]
	}
	return m.weight.Shape()[1]
}

func (m *module) out() int {
	if m.lookup {
		return m.weight.Shape()[1]
	}
	return m.weight.Shape()[0]
}

// allocate creates the update with zero values, in float64 beside such weights
// and else in float32.
func (m *module) allocate(name string, dropout float64) error {
	m.low = &nn.LowRank{Scale: m.scale, Dropout: dropout, Salt: salt(m.path)}
	var err error
	for _, p := range m.parts() {
		shape := slices.Clone(p.shape)
		if p.transposed {
			slices.Reverse(shape)
		}
		full := m.path + "." + p.key + "." + name
		if m.weight.Dtype() == tensor.Float64 {
			*p.param, err = tensor.NewParam(full, make([]float64, shape[0]*shape[1]), shape...)
		} else {
			*p.param, err = tensor.NewParam(full, make([]float32, shape[0]*shape[1]), shape...)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// part is one of the two matrices of an update.
type part struct {
	key        string // lora_A and the like
	file       string // name of the tensor in a file
	shape      []int  // there
	transposed bool   // the parameter is the transpose of the file's tensor
	param      **tensor.Param
}

// parts are A and B.
func (m *module) parts() [2]part {
	low := m.low
	if low == nil {
		low = &nn.LowRank{}
	}
	keys, suffix := [2]string{"lora_A", "lora_B"}, ".weight"
	if m.lookup {
		keys, suffix = [2]string{"lora_embedding_A", "lora_embedding_B"}, ""
	}
	file := filePrefix + m.path + "."
	return [2]part{
		{keys[0], file + keys[0] + suffix, []int{m.rank, m.in()}, m.lookup, &low.A},
		{keys[1], file + keys[1] + suffix, []int{m.out(), m.rank}, false, &low.B},
	}
}

// salt is a number that is the module's own.
func salt(path string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(path))
	return h.Sum64()
}

// initialise draws the values of a fresh adapter as PEFT does: A from U(−1/√in,
// 1/√in), which is Kaiming's uniform law with a = √5, or from N(0, 1/r²), and B =
// 0; of an embedding A = 0 and B from N(0, 1).
func (m *module) initialise(c Config) {
	r := rand.New(rand.NewPCG(c.Seed, salt(m.path)))
	switch {
	case m.lookup:
		fill(m.low.B, r.NormFloat64)
	case c.Gaussian:
		fill(m.low.A, func() float64 { return r.NormFloat64() / float64(m.rank) })
	default:
		bound := 1 / math.Sqrt(float64(m.in()))
		fill(m.low.A, func() float64 { return bound * (2*r.Float64() - 1) })
	}
}

// fill sets every element of p.
func fill(p *tensor.Param, next func() float64) {
	x, y := p.Data(), p.Data64()
	for i := range x {
		x[i] = float32(next())
	}
	for i := range y {
		y[i] = next()
	}
	p.Changed()
}

// isZero says whether every element of p is 0.
func isZero(p *tensor.Param) bool {
	return !slices.ContainsFunc(p.Data(), func(x float32) bool { return x != 0 }) &&
		!slices.ContainsFunc(p.Data64(), func(x float64) bool { return x != 0 })
}
