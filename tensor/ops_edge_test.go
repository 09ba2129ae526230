package tensor_test

import (
	"math"
	"testing"

	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/require"
)

var nan, inf = math.NaN(), math.Inf(1)

// pointwise runs op on x in float64 and returns value and slope of each element.
func pointwise(t *testing.T, op func(x *tensor.Node) *tensor.Node, x ...float64) (y, dx []float64) {
	t.Helper()
	c := opCase{in: []operand{{name: "x", shape: []int{len(x)}, data: x}}, build: one(func(in nodes) *tensor.Node { return op(in["x"]) })}
	r := newRun[float64](t, c, setting{grads: true})
	ones := make([]float64, len(x))
	for i := range ones {
		ones[i] = 1
	}
	require.NoError(t, tensor.Bind(r.p, r.nodes["seeda"], ones))
	out := r.results(t)
	return out[0], out[1]
}

// requireSame compares with NaN equal to NaN.
func requireSame(t *testing.T, want, got []float64) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		if want[i] != got[i] && !(math.IsNaN(want[i]) && math.IsNaN(got[i])) {
			require.Failf(t, "not equal", "element %d: got %v, want %v", i, got[i], want[i])
		}
	}
}

func TestUnaryOpsKeepTheirDigitsAtTheEnds(t *testing.T) {
	y, dx := pointwise(t, tensor.LogSigmoid, -1000, -40, 40, 1000)
	requireSame(t, []float64{-1000, -40, -math.Exp(-40), 0}, y)
	requireSame(t, []float64{1, 1 / (1 + math.Exp(-40)), math.Exp(-40) / (1 + math.Exp(-40)), 0}, dx)
	y, _ = pointwise(t, tensor.Softplus, -1000, 1000)
	requireSame(t, []float64{0, 1000}, y)
	y, dx = pointwise(t, tensor.Sigmoid, -1000, 1000)
	requireSame(t, []float64{0, 1}, y)
	requireSame(t, []float64{0, 0}, dx)
	y, _ = pointwise(t, tensor.Log1mExp, 0, 1, -1e-20, -50)
	requireSame(t, []float64{-inf, nan, math.Log(1e-20), -math.Exp(-50)}, y)
}

func TestKinksFollowTorch(t *testing.T) {
	clip := func(x *tensor.Node) *tensor.Node { return tensor.Clip(x, -1, 2) }
	y, dx := pointwise(t, clip, -1.5, -1, 0, 2, 2.5, nan)
	requireSame(t, []float64{-1, -1, 0, 2, 2, nan}, y)
	requireSame(t, []float64{0, 1, 1, 1, 0, 1}, dx)
	_, dx = pointwise(t, tensor.Abs, -3, 0, 3)
	requireSame(t, []float64{-1, 0, 1}, dx)
	relu := func(x *tensor.Node) *tensor.Node { return tensor.Activate(x, tensor.ReLU) }
	y, dx = pointwise(t, relu, -1, 0, 1, nan)
	requireSame(t, []float64{0, 0, 1, nan}, y)
	requireSame(t, []float64{0, 0, 1}, dx[:3])

	c := opCase{in: []operand{
		{name: "x", shape: []int{4}, data: []float64{1, 2, 3, nan}},
		{name: "y", shape: []int{4}, data: []float64{2, 2, 1, 0}},
	}, build: one(func(in nodes) *tensor.Node { return tensor.Min(in["x"], in["y"]) })}
	r := newRun[float64](t, c, setting{grads: true})
	require.NoError(t, tensor.Bind(r.p, r.nodes["seeda"], []float64{1, 1, 1, 1}))
	out := r.results(t)
	requireSame(t, []float64{1, 2, 1, nan}, out[0])
	requireSame(t, []float64{1, 0.5, 0, 0.5}, out[1])
	requireSame(t, []float64{0, 0.5, 1, 0.5}, out[2])
}

// A value that nobody uses must not poison what is used.
func TestZeroGradientsStayZeroWhereTheSlopeIsInfinite(t *testing.T) {
	c := opCase{in: []operand{{name: "x", shape: []int{2}, data: []float64{0, 4}}, {name: "w", shape: []int{2}, data: []float64{0, 1}, constant: true}},
		build: one(func(in nodes) *tensor.Node { return tensor.MaskedSum(tensor.Sqrt(in["x"]), in["w"]) })}
	r := newRun[float64](t, c, setting{grads: true})
	require.NoError(t, tensor.Bind(r.p, r.nodes["seeda"], []float64{1}))
	requireSame(t, []float64{0, 0.25}, r.results(t)[1])
}

func TestRowsOfWeightZeroAreSkipped(t *testing.T) {
	x := operand{name: "x", shape: []int{4}, data: []float64{nan, 2, inf, 4}}
	w := operand{name: "w", shape: []int{4}, data: []float64{0, 1, 0, 3}, constant: true}
	for name, op := range map[string]func(x, w *tensor.Node) *tensor.Node{"sum": tensor.MaskedSum, "mean": tensor.WeightedMean} {
		c := opCase{in: []operand{x, w}, build: one(func(in nodes) *tensor.Node { return op(in["x"], in["w"]) })}
		r := newRun[float64](t, c, setting{grads: true})
		require.NoError(t, tensor.Bind(r.p, r.nodes["seeda"], []float64{1}))
		scale := map[string]float64{"sum": 1, "mean": 0.25}[name]
		out := r.results(t)
		requireSame(t, []float64{14 * scale}, out[0])
		requireSame(t, []float64{0, scale, 0, 3 * scale}, out[1])
	}
	none := w
	none.data, none.constant = make([]float64, 4), false
	c := opCase{in: []operand{x.mapped(func(float64) float64 { return 5 }), none},
		build: one(func(in nodes) *tensor.Node { return tensor.WeightedMean(in["x"], in["w"]) })}
	for _, v := range newRun[float64](t, c, setting{grads: true}).results(t) {
		for _, x := range v {
			require.Zero(t, x, "a mean over nothing is 0, and so are its gradients")
		}
	}
}

func TestOpsAcceptNoLiveRows(t *testing.T) {
	forEach(t, small, func(t *testing.T, c opCase) {
		r := newRun[float32](t, c, setting{grads: !c.noGrad, debug: tensor.Debug{Poison: true}})
		axes := map[string]bool{}
		for _, in := range c.in {
			if in.axis != "" && !axes[in.axis] {
				axes[in.axis] = true
				require.NoError(t, r.p.SetLive(in.axis, 0))
			}
		}
		for i, out := range r.results(t) {
			for _, x := range out {
				require.Zero(t, x, "output %d: sums over nothing and gradients of weights are 0", i)
			}
		}
	})
}

func TestRunsRefuseIndicesOutOfRange(t *testing.T) {
	v := operand{name: "v", shape: []int{6}, data: normal("v", 6), axis: "rows"}
	table := weight("table", 4, 2)
	for name, c := range map[string]opCase{
		"op embedding|id 4 at position 1, want at least 0 and less than 4": {in: []operand{table, ids("ids", "", 3, 4)},
			build: one(func(in nodes) *tensor.Node { return tensor.Embedding(in["table"], in["ids"], 1) })},
		"op embedding|id -1 at position 0": {in: []operand{table, ids("ids", "", -1, 2)},
			build: one(func(in nodes) *tensor.Node { return tensor.Embedding(in["table"], in["ids"], 1) })},
		// Row 6 exists but is dead.
		"op gather|id 6 at position 0, want at least 0 and less than 6": {in: []operand{v, ids("ids", "", 6)},
			build: one(func(in nodes) *tensor.Node { return tensor.Gather(in["v"], in["ids"]) })},
		"op segment_sum|segment 1 ends at 2, want at least 3": {in: []operand{v, ids("ends", "", 3, 2)},
			build: one(func(in nodes) *tensor.Node { return tensor.SegmentSum(in["v"], in["ends"]) })},
		"op noise|segment 0 ends at 9": {in: []operand{{name: "v", shape: []int{6, 2}, data: normal("v", 12), axis: "rows"}, ids("ends", "", 9)},
			build: one(func(in nodes) *tensor.Node { return tensor.Noise(in["v"], 1, in["ends"], 1) })},
	} {
		r := newRun[float32](t, c, setting{})
		err := r.p.Run()
		at := len("op ")
		bar := at
		for name[bar] != '|' {
			bar++
		}
		require.ErrorContains(t, err, "("+name[at:bar]+")")
		require.ErrorContains(t, err, name[bar+1:])
	}
}

// Mistakes in a graph are errors of Build that say what was wanted.
func TestBuildersCheckShapes(t *testing.T) {
	f32 := func(g *tensor.Graph, name string, shape ...int) *tensor.Node {
		return tensor.Input(g, tensor.Float32, name, shape...)
	}
	for want, build := range map[string]func(g *tensor.Graph){
		"linear: got input (2, 3) and weight (4, 5), want (N, K) and (M, K)": func(g *tensor.Graph) { tensor.Linear(f32(g, "x", 2, 3), f32(g, "w", 4, 5), nil) },
		"linear: bias has shape (3), want (4)":                               func(g *tensor.Graph) { tensor.Linear(f32(g, "x", 2, 3), f32(g, "w", 4, 3), f32(g, "b", 3)) },
		"linear: got input (2, 3) and weight (4, 3), want (N, K) and (K, M)": func(g *tensor.Graph) { tensor.LinearTransposed(f32(g, "x", 2, 3), f32(g, "w", 4, 3), nil) },
		"linear: got input (2) and weight (4, 3), want matrices":             func(g *tensor.Graph) { tensor.Linear(f32(g, "x", 2), f32(g, "w", 4, 3), nil) },
		"split: got shape (2, 7), 2 groups and widths [1 2]":                 func(g *tensor.Graph) { tensor.Split(f32(g, "x", 2, 7), 2, 1, 2) },
		"split: got shape (2, 2), 1 groups and widths [2 0]":                 func(g *tensor.Graph) { tensor.Split(f32(g, "x", 2, 2), 1, 2, 0) },
		"split: got shape (2, 2), 1 groups and widths []":                    func(g *tensor.Graph) { tensor.Split(f32(g, "x", 2, 2), 1) },
		"want (R, 3) and (4, R)": func(g *tensor.Graph) {
			tensor.LinearLoRA(f32(g, "x", 2, 3), f32(g, "w", 4, 3), nil, f32(g, "a", 5, 3), f32(g, "b", 4, 6), tensor.LoRAOptions{Scale: 1})
		},
		"scale is 0": func(g *tensor.Graph) {
			tensor.LinearLoRA(f32(g, "x", 2, 3), f32(g, "w", 4, 3), nil, f32(g, "a", 5, 3), f32(g, "b", 4, 5), tensor.LoRAOptions{})
		},
		"rmsnorm: weight has shape (2) beside x of shape (2, 3)": func(g *tensor.Graph) { tensor.RMSNorm(f32(g, "x", 2, 3), f32(g, "w", 2), tensor.NormOptions{}) },
		"layernorm: the weight is nil":                           func(g *tensor.Graph) { tensor.LayerNorm(f32(g, "x", 2, 3), nil, nil, 1) },
		"layernorm: bias has shape (2)":                          func(g *tensor.Graph) { tensor.LayerNorm(f32(g, "x", 2, 3), f32(g, "w", 3), f32(g, "b", 2), 1) },
		"mul: got shapes (2) and (3)":                            func(g *tensor.Graph) { tensor.Mul(f32(g, "x", 2), f32(g, "y", 3)) },
		"add: got element types float32 and float64":             func(g *tensor.Graph) { tensor.Add(f32(g, "x", 2), tensor.Input(g, tensor.Float64, "y", 2)) },
		"exp: element type of":                                   func(g *tensor.Graph) { tensor.Exp(tensor.Input(g, tensor.BFloat16, "x", 2)) },
		"glu: unknown activation 9":                              func(g *tensor.Graph) { tensor.GLU(f32(g, "x", 2), f32(g, "y", 2), 9) },
		"embedding: ids has element type float32":                func(g *tensor.Graph) { tensor.Embedding(f32(g, "t", 4, 2), f32(g, "i", 2), 1) },
		"embedding: the table is":                                func(g *tensor.Graph) { tensor.Embedding(f32(g, "t", 4), tensor.Input(g, tensor.Int32, "i", 2), 1) },
		"gather: input is a scalar":                              func(g *tensor.Graph) { tensor.Gather(f32(g, "x"), tensor.Input(g, tensor.Int32, "i", 2)) },
		"dropout: dropout rate, got 1":                           func(g *tensor.Graph) { tensor.Dropout(f32(g, "x", 2), 1, 0) },
		"noise: alpha, got -1":                                   func(g *tensor.Graph) { tensor.Noise(f32(g, "x", 2, 2), -1, tensor.Input(g, tensor.Int32, "e", 2), 0) },
		"clip: got limits 2 and 1":                               func(g *tensor.Graph) { tensor.Clip(f32(g, "x", 2), 2, 1) },
		"masked_sum: input has shape (2, 2), want (N)":           func(g *tensor.Graph) { tensor.MaskedSum(f32(g, "x", 2, 2), f32(g, "w", 2, 2)) },
		"broadcast_rows: input has shape (2), want (1)":          func(g *tensor.Graph) { tensor.BroadcastRows(f32(g, "x", 2), f32(g, "y", 2)) },
		"sum: an input is nil":                                   func(*tensor.Graph) { tensor.Sum(nil) },
		"input without a name":                                   func(g *tensor.Graph) { f32(g, "", 2) },
		`input "x" is declared twice`:                            func(g *tensor.Graph) { f32(g, "x", 2); f32(g, "x", 3) },
		`input "x": shape [2 0] has a dimension below 1`:         func(g *tensor.Graph) { f32(g, "x", 2, 0) },
		"gradient: ": func(g *tensor.Graph) { tensor.Gradient(tensor.Sum(f32(g, "x", 2)), f32(g, "s", 1), f32(g, "y", 2)) },
	} {
		_, err := tensor.Build(build)
		require.ErrorIs(t, err, tensor.ErrBuild, want)
		require.ErrorContains(t, err, want)
	}
}

func TestActivationsHaveTheNamesOfCheckpoints(t *testing.T) {
	for name, want := range map[string]tensor.Activation{"silu": tensor.SiLU, "swish": tensor.SiLU, "gelu": tensor.GELUErf,
		"gelu_pytorch_tanh": tensor.GELUTanh, "gelu_new": tensor.GELUTanh, "relu": tensor.ReLU} {
		got, err := tensor.ParseActivation(name)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := tensor.ParseActivation("mish")
	require.ErrorContains(t, err, `got "mish", want silu`)
	for act := tensor.SiLU; act <= tensor.ReLU; act++ {
		got, err := tensor.ParseActivation(act.String())
		require.NoError(t, err)
		require.Equal(t, act, got)
	}
}
