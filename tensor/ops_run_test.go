package tensor_test

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/gradcheck"
	"github.com/stretchr/testify/require"
)

// operand is an input of an op under test, live rows only.
type operand struct {
	name  string
	shape []int // the leading dimension is the live size
	data  []float64
	ids   []int32
	axis  string // dynamic leading axis; "" for none
	// weight may be stored in 16 bits.
	weight bool
	// constant inputs have no gradient, or one that cannot be checked.
	constant bool
}

// spare is how many dead rows every dynamic axis has.
const spare = 3

// opCase is one op with inputs and, where it is simple, its definition.
type opCase struct {
	name  string
	in    []operand
	build func(in map[string]*tensor.Node) tensor.Nodes
	want  func(in map[string]operand) [][]float64
	// noGrad marks ops that cannot be differentiated.
	noGrad bool
}

// normal draws values that depend on the name only.
func normal(name string, n int) []float64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	rng := rand.New(rand.NewPCG(h.Sum64(), 11))
	x := make([]float64, n)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	return x
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// rows is an operand on the axis "rows" with random values.
func rows(name string, shape ...int) operand {
	return operand{name: name, shape: shape, data: normal(name, size(shape)), axis: "rows"}
}

// weight is an operand of fixed size whose values have few mantissa bits, so
// that they are the same in every storage type.
func weight(name string, shape ...int) operand {
	o := operand{name: name, shape: shape, data: normal(name, size(shape)), weight: true}
	for i, x := range o.data {
		o.data[i] = math.Round(x*32) / 32
	}
	return o
}

// ids is a vector of int32; a constant by nature.
func ids(name, axis string, v ...int32) operand {
	return operand{name: name, shape: []int{len(v)}, ids: v, axis: axis}
}

// mapped changes the values of an operand.
func (o operand) mapped(f func(x float64) float64) operand {
	data := make([]float64, len(o.data))
	for i, x := range o.data {
		data[i] = f(x)
	}
	o.data = data
	return o
}

// setting says how a case is compiled and run.
type setting struct {
	grads  bool // also gradients by all inputs
	exact  bool // capacity is the live size: no dynamic axes
	relay  bool // inputs pass through an op first, so that they live in the arena
	half   tensor.Dtype
	debug  tensor.Debug
	device *tensor.Device
}

// run is a compiled case.
type run[T tensor.Float] struct {
	p     *tensor.Program
	g     *tensor.Graph
	nodes map[string]*tensor.Node
	outs  tensor.Nodes
	first int // index of the first gradient in outs
	bind  func()
}

func dtype[T tensor.Float]() tensor.Dtype {
	if size, ok := any(T(0)).(float64); ok && size == 0 {
		return tensor.Float64
	}
	return tensor.Float32
}

// capacity is the shape an operand is declared with.
func (s *setting) capacity(o operand) []int {
	shape := append([]int(nil), o.shape...)
	if o.axis != "" && !s.exact {
		shape[0] += spare
	}
	return shape
}

func newRun[T tensor.Float](t testing.TB, c opCase, s setting) *run[T] {
	t.Helper()
	r := &run[T]{nodes: map[string]*tensor.Node{}}
	var err error
	r.g, err = tensor.Build(func(g *tensor.Graph) { r.build(g, c, s) })
	require.NoError(t, err)
	o := tensor.CompileOptions{Debug: s.debug, Device: s.device}
	live := map[string]int{}
	for _, in := range c.in {
		if in.axis == "" || s.exact {
			continue
		}
		if _, ok := live[in.axis]; !ok {
			live[in.axis] = in.shape[0]
			o.Axes = append(o.Axes, tensor.Axis{Name: in.axis})
		}
		for i := range o.Axes {
			if o.Axes[i].Name == in.axis {
				o.Axes[i].Inputs = append(o.Axes[i].Inputs, r.nodes[in.name])
			}
		}
	}
	r.p, err = tensor.Compile(r.g, r.outs, o)
	require.NoError(t, err)
	r.p.SetRandom(7, 3)
	values := r.values(c, s)
	r.bind = func() {
		for name, n := range live {
			require.NoError(t, r.p.SetLive(name, n))
		}
		for name, v := range values {
			switch v := v.(type) {
			case []T:
				require.NoError(t, tensor.Bind(r.p, r.nodes[name], v))
			case []int32:
				require.NoError(t, tensor.Bind(r.p, r.nodes[name], v))
			case []tensor.BF16:
				require.NoError(t, tensor.Bind(r.p, r.nodes[name], v))
			case []tensor.F16:
				require.NoError(t, tensor.Bind(r.p, r.nodes[name], v))
			}
		}
	}
	r.bind()
	if s.grads && !s.exact {
		require.NoError(t, r.p.Run())
		r.poisonSeeds(t, values)
	}
	return r
}

// poisonSeeds makes the dead rows of the gradients of outputs NaN.
func (r *run[T]) poisonSeeds(t testing.TB, values map[string]any) {
	t.Helper()
	at := 0
	for _, n := range r.outs[:r.first] {
		if n.Dtype() == tensor.Int32 {
			continue
		}
		live, err := tensor.Values[T](r.p, n)
		require.NoError(t, err)
		dead := values[seedName(at)].([]T)[len(live):]
		for i := range dead {
			dead[i] = T(math.NaN())
		}
		at++
	}
}

func seedName(i int) string { return "seed" + string(rune('a'+i)) }

func (r *run[T]) build(g *tensor.Graph, c opCase, s setting) {
	var wrt tensor.Nodes
	used := map[string]*tensor.Node{}
	for _, in := range c.in {
		dt := dtype[T]()
		switch {
		case in.ids != nil:
			dt = tensor.Int32
		case in.weight && s.half != (tensor.Dtype{}):
			dt = s.half
		}
		n := tensor.Input(g, dt, in.name, s.capacity(in)...)
		r.nodes[in.name], used[in.name] = n, n
		if in.ids == nil && s.relay && dt == dtype[T]() {
			used[in.name] = tensor.Scale(n, 1)
		}
		if in.ids == nil && !in.constant && dt == dtype[T]() {
			wrt = append(wrt, n)
		}
	}
	r.outs = append(r.outs, c.build(used)...)
	r.first = len(r.outs)
	if !s.grads {
		return
	}
	var outs, seeds tensor.Nodes
	for _, o := range r.outs {
		if o.Dtype() == dtype[T]() {
			name := seedName(len(seeds))
			r.nodes[name] = tensor.Input(g, o.Dtype(), name, o.Shape()...)
			outs, seeds = append(outs, o), append(seeds, r.nodes[name])
		}
	}
	for _, parts := range tensor.Gradients(outs, seeds, wrt) {
		total := parts[0]
		for _, n := range parts[1:] {
			total = tensor.Add(total, n)
		}
		r.outs = append(r.outs, total)
	}
}

// values are what inputs are bound to. Dead rows are NaN, or an id that no
// table has, so that reading one shows.
func (r *run[T]) values(c opCase, s setting) map[string]any {
	res := map[string]any{}
	for _, in := range c.in {
		n := size(s.capacity(in))
		if in.ids != nil {
			v := append([]int32(nil), in.ids...)
			for len(v) < n {
				v = append(v, math.MaxInt32)
			}
			res[in.name] = v
			continue
		}
		v := make([]T, n)
		for i := range v {
			v[i] = T(math.NaN())
			if i < len(in.data) {
				v[i] = T(in.data[i])
			}
		}
		res[in.name] = v
		if in.weight && s.half != (tensor.Dtype{}) {
			res[in.name] = halves(in, s.half)
		}
	}
	for name, n := range r.nodes {
		if _, ok := res[name]; ok {
			continue
		}
		seed := make([]T, n.Shape().TotalSize())
		for i, x := range normal(name, len(seed)) {
			seed[i] = T(x)
		}
		res[name] = seed
	}
	return res
}

// halves stores a weight in 16 bits.
func halves(in operand, dt tensor.Dtype) any {
	p, err := tensor.NewParam(in.name, in.data, in.shape...)
	if err == nil {
		p, err = p.Convert(dt)
	}
	if err != nil {
		panic(err)
	}
	if dt == tensor.BFloat16 {
		v := make([]tensor.BF16, p.Len())
		for i, b := range p.Data16() {
			v[i] = tensor.BF16(b)
		}
		return v
	}
	v := make([]tensor.F16, p.Len())
	for i, b := range p.Data16() {
		v[i] = tensor.F16(b)
	}
	return v
}

// results runs the program, twice, because the second run must not see
// leftovers of the first, and returns copies of its outputs as float64.
func (r *run[T]) results(t testing.TB) [][]float64 {
	t.Helper()
	require.NoError(t, r.p.Run())
	require.NoError(t, r.p.Run())
	res := make([][]float64, len(r.outs))
	for i, n := range r.outs {
		if n.Dtype() == tensor.Int32 {
			v, err := tensor.Values[int32](r.p, n)
			require.NoError(t, err)
			for _, x := range v {
				res[i] = append(res[i], float64(x))
			}
			continue
		}
		v, err := tensor.Values[T](r.p, n)
		require.NoError(t, err)
		for _, x := range v {
			res[i] = append(res[i], float64(x))
		}
	}
	return res
}

// function is the case for gradcheck.
func (c *opCase) function() gradcheck.Function {
	f := gradcheck.Function{Build: func(_ *tensor.Graph, in map[string]*tensor.Node) tensor.Nodes { return c.build(in) }}
	s := setting{}
	axes := map[string]int{}
	for _, in := range c.in {
		g := gradcheck.Input{Name: in.name, Shape: s.capacity(in), Constant: in.constant}
		if in.ids != nil {
			g.IDs = in.ids
		} else {
			g.Data = append([]float64(nil), in.data...)
		}
		f.Inputs = append(f.Inputs, g)
		if in.axis == "" {
			continue
		}
		at, ok := axes[in.axis]
		if !ok {
			at = len(f.Axes)
			axes[in.axis] = at
			f.Axes = append(f.Axes, gradcheck.Axis{Name: in.axis, Live: in.shape[0]})
		}
		f.Axes[at].Inputs = append(f.Axes[at].Inputs, in.name)
	}
	return f
}

// requireClose compares with the largest magnitude as the scale.
func requireClose(t testing.TB, want, got []float64, tolerance float64, what string) {
	t.Helper()
	require.Len(t, got, len(want), what)
	scale := 1e-30
	for _, x := range want {
		scale = max(scale, math.Abs(x))
	}
	for i := range want {
		if !(math.Abs(want[i]-got[i]) <= tolerance*scale) {
			require.Failf(t, "not close", "%s: element %d: got %g, want %g within %g of %g", what, i, got[i], want[i], tolerance, scale)
		}
	}
}
