package tensor_test

import (
	"fmt"
	"testing"

	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/require"
)

// shape of the model that executor tests run: a small decoder with every kind of
// op that training uses.
type modelShape struct {
	layers, dim, heads, hidden, vocab int
	tokens, scored, segments          int // capacities
	rank                              int
	full                              bool // trains all weights, not only adapters
	noise                             bool
}

var tiny = modelShape{layers: 3, dim: 16, heads: 2, hidden: 40, vocab: 37, tokens: 24, scored: 20, segments: 4, rank: 3}

// model is a graph of the shape with its inputs and parameters.
type model[T tensor.Float] struct {
	shape  modelShape
	g      *tensor.Graph
	params []*tensor.Param
	in     map[string]*tensor.Node
	layers tensor.Nodes // residual stream after each layer
	loss   *tensor.Node
	grads  []tensor.Accumulation
}

func newModel[T tensor.Float](t testing.TB, s modelShape) *model[T] {
	t.Helper()
	m := &model[T]{shape: s, in: map[string]*tensor.Node{}}
	var err error
	m.g, err = tensor.Build(func(g *tensor.Graph) { m.build(t, g) })
	require.NoError(t, err)
	return m
}

// param makes a parameter with random values of about 1/√columns.
func (m *model[T]) param(t testing.TB, name string, trainable bool, shape ...int) *tensor.Node {
	data := make([]T, size(shape))
	if !hollow {
		for i, x := range normal(name, len(data)) {
			data[i] = T(x / 4)
		}
	}
	p, err := tensor.NewParam(name, data, shape...)
	require.NoError(t, err)
	require.NoError(t, p.SetTrainable(trainable))
	m.params = append(m.params, p)
	return p.Node(m.g)
}

// hollow leaves parameters 0, for benchmarks of large shapes.
var hollow bool

func (m *model[T]) linear(t testing.TB, name string, x *tensor.Node, out int) *tensor.Node {
	in := x.Shape()[1]
	w := m.param(t, name, m.shape.full, out, in)
	if m.shape.rank == 0 {
		return tensor.Linear(x, w, nil)
	}
	a, b := m.param(t, name+".a", true, m.shape.rank, in), m.param(t, name+".b", true, out, m.shape.rank)
	return tensor.LinearLoRA(x, w, nil, a, b, tensor.LoRAOptions{Scale: 2, Dropout: 0.1, Salt: uint64(len(m.params))})
}

func (m *model[T]) build(t testing.TB, g *tensor.Graph) {
	m.g = g
	s := m.shape
	for name, n := range map[string]int{"tokens": s.tokens, "positions": s.tokens, "ends": s.segments, "rows": s.scored, "targets": s.scored} {
		m.in[name] = tensor.Input(g, tensor.Int32, name, n)
	}
	m.in["weights"] = tensor.Input(g, dtype[T](), "weights", s.scored)
	m.in["seed"] = tensor.Input(g, dtype[T](), "seed", 1)
	table := m.param(t, "embed", s.full, s.vocab, s.dim)
	x := tensor.Embedding(table, m.in["tokens"], 1)
	if s.noise {
		x = tensor.Noise(x, 5, m.in["ends"], 1)
	}
	for i := range s.layers {
		x = m.layer(t, fmt.Sprintf("layers.%d.", i), x)
		m.layers = append(m.layers, x)
	}
	h := tensor.RMSNorm(x, m.param(t, "norm", s.full, s.dim), tensor.NormOptions{Eps: 1e-5})
	p := tensor.TokenLogProb(h, table, m.in["rows"], m.in["targets"], tensor.LogProbOptions{})
	m.loss = tensor.Neg(tensor.MaskedSum(p.LogProb, m.in["weights"]))
	var wrt tensor.Nodes
	var into []*tensor.Param
	for _, p := range m.params {
		if p.Trainable() {
			wrt, into = append(wrt, p.Node(g)), append(into, p)
		}
	}
	for i, parts := range tensor.Gradients(tensor.Nodes{m.loss}, tensor.Nodes{m.in["seed"]}, wrt) {
		for _, part := range parts {
			m.grads = append(m.grads, tensor.Accumulation{Grad: part, Into: into[i]})
		}
	}
}

func (m *model[T]) layer(t testing.TB, name string, x *tensor.Node) *tensor.Node {
	s := m.shape
	width := s.dim / s.heads
	freqs := make([]float64, width/2)
	for i := range freqs {
		freqs[i] = 1 / float64(i+1)
	}
	o := tensor.RoPEOptions{HeadDim: width, InvFreq: freqs}
	h := tensor.RMSNorm(x, m.param(t, name+"norm1", s.full, s.dim), tensor.NormOptions{Eps: 1e-5})
	q := tensor.RoPE(m.linear(t, name+"q", h, s.dim), m.in["positions"], o)
	k := tensor.RoPE(m.linear(t, name+"k", h, s.dim), m.in["positions"], o)
	v := m.linear(t, name+"v", h, s.dim)
	a := tensor.Attention(q, k, v, tensor.Segments{Ends: m.in["ends"]}, tensor.AttentionOptions{Heads: s.heads, HeadDim: width})
	x = tensor.Add(x, m.linear(t, name+"o", a, s.dim))
	h = tensor.RMSNorm(x, m.param(t, name+"norm2", s.full, s.dim), tensor.NormOptions{Eps: 1e-5})
	h = tensor.GLU(m.linear(t, name+"gate", h, s.hidden), m.linear(t, name+"up", h, s.hidden), tensor.SiLU)
	return tensor.Add(x, m.linear(t, name+"down", h, s.dim))
}

// options are those every program of the model needs.
func (m *model[T]) options(o tensor.CompileOptions) tensor.CompileOptions {
	o.Axes = []tensor.Axis{
		{Name: "tokens", Inputs: tensor.Nodes{m.in["tokens"], m.in["positions"]}},
		{Name: "segments", Inputs: tensor.Nodes{m.in["ends"]}},
		{Name: "scored", Inputs: tensor.Nodes{m.in["rows"], m.in["targets"], m.in["weights"]}},
	}
	return o
}

func (m *model[T]) training(t testing.TB, o tensor.CompileOptions) *tensor.Program {
	t.Helper()
	o = m.options(o)
	o.Accumulate = m.grads
	p, err := tensor.Compile(m.g, tensor.Nodes{m.loss}, o)
	require.NoError(t, err)
	m.bind(t, p)
	return p
}

// bind gives a program two segments of live rows and three dead ones.
func (m *model[T]) bind(t testing.TB, p *tensor.Program) {
	t.Helper()
	s := m.shape
	tokens, scored := s.tokens-3, s.scored-3
	v := map[string][]int32{"ends": {int32(tokens / 3), int32(tokens)}}
	for i := range tokens {
		at := i
		if i >= tokens/3 {
			at -= tokens / 3
		}
		v["tokens"] = append(v["tokens"], int32(i*i%s.vocab))
		v["positions"] = append(v["positions"], int32(at))
	}
	weights := make([]T, scored)
	for i := range scored {
		v["rows"] = append(v["rows"], int32(i))
		v["targets"] = append(v["targets"], int32(i*5%s.vocab))
		weights[i] = T(i%3) / 2
	}
	for name, ids := range v {
		require.NoError(t, tensor.Bind(p, m.in[name], ids))
	}
	require.NoError(t, tensor.Bind(p, m.in["weights"], weights))
	require.NoError(t, tensor.Bind(p, m.in["seed"], []T{1}))
	require.NoError(t, p.SetLive("tokens", tokens))
	require.NoError(t, p.SetLive("segments", 2))
	require.NoError(t, p.SetLive("scored", scored))
	p.SetRandom(1, 2)
}

// step runs a program once from clean accumulators and returns the loss and
// copies of all gradients.
func (m *model[T]) step(t testing.TB, p *tensor.Program) [][]T {
	t.Helper()
	for _, q := range m.params {
		q.ZeroGrad()
	}
	require.NoError(t, p.Run())
	loss, err := tensor.Values[T](p, m.loss)
	require.NoError(t, err)
	return append([][]T{append([]T(nil), loss...)}, m.gradients()...)
}

func (m *model[T]) gradients() (gs [][]T) {
	for _, q := range m.params {
		if g, ok := any(q.Grad()).([]T); ok && g != nil {
			gs = append(gs, append([]T(nil), g...))
		}
		if g, ok := any(q.Grad64()).([]T); ok && g != nil {
			gs = append(gs, append([]T(nil), g...))
		}
	}
	return gs
}
