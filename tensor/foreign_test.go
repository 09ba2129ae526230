package tensor_test

import (
	"math"
	"testing"

	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/gradcheck"
	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	gtensor "gorgonia.org/tensor"
)

var must = gorgonia.Must

// foreignOps are losses written with Gorgonia's own ops on x (4, 3) of positive
// numbers, w (3, 2) and v (4).
var foreignOps = map[string]func(x, w, v *tensor.Node) *tensor.Node{
	"arithmetic": func(x, _, _ *tensor.Node) *tensor.Node {
		return must(gorgonia.Sub(must(gorgonia.HadamardProd(x, x)), must(gorgonia.HadamardDiv(x, must(gorgonia.Exp(x))))))
	},
	"unary": func(x, _, _ *tensor.Node) *tensor.Node {
		y := must(gorgonia.Sigmoid(must(gorgonia.Log(x))))
		return must(gorgonia.Add(must(gorgonia.Tanh(must(gorgonia.Sqrt(y)))), must(gorgonia.Softplus(must(gorgonia.Neg(x))))))
	},
	"product": func(x, w, _ *tensor.Node) *tensor.Node { return must(gorgonia.Mul(x, w)) },
	"product transposed": func(x, w, _ *tensor.Node) *tensor.Node {
		return must(gorgonia.Mul(must(gorgonia.Transpose(w)), must(gorgonia.Transpose(x))))
	},
	"matrix and vector": func(x, _, v *tensor.Node) *tensor.Node { return must(gorgonia.Mul(must(gorgonia.Transpose(x)), v)) },
	"rows":              func(x, _, _ *tensor.Node) *tensor.Node { return must(gorgonia.Slice(x, gorgonia.S(1, 3))) },
	"columns":           func(x, _, _ *tensor.Node) *tensor.Node { return must(gorgonia.Slice(x, nil, gorgonia.S(0, 2))) },
	"one column": func(x, _, v *tensor.Node) *tensor.Node {
		return must(gorgonia.HadamardProd(must(gorgonia.Slice(x, nil, gorgonia.S(1))), v))
	},
	"reshape": func(x, _, _ *tensor.Node) *tensor.Node {
		return must(gorgonia.Square(must(gorgonia.Reshape(x, gtensor.Shape{6, 2}))))
	},
	"concatenation": func(x, _, _ *tensor.Node) *tensor.Node {
		return must(gorgonia.Square(must(gorgonia.Concat(1, x, must(gorgonia.Exp(x))))))
	},
	"sum along rows":    func(x, _, _ *tensor.Node) *tensor.Node { return must(gorgonia.Square(must(gorgonia.Sum(x, 1)))) },
	"sum along columns": func(x, _, _ *tensor.Node) *tensor.Node { return must(gorgonia.Square(must(gorgonia.Sum(x, 0)))) },
	"mean":              func(x, _, _ *tensor.Node) *tensor.Node { return must(gorgonia.Square(must(gorgonia.Mean(x)))) },
	"broadcast": func(x, _, v *tensor.Node) *tensor.Node {
		return must(gorgonia.BroadcastHadamardProd(x, must(gorgonia.Reshape(v, gtensor.Shape{4, 1})), nil, []byte{1}))
	},
	"constant": func(x, _, _ *tensor.Node) *tensor.Node {
		return must(gorgonia.Sub(gorgonia.NewConstant(2.5), must(gorgonia.Mul(x, gorgonia.NewConstant(0.5)))))
	},
}

// foreignGraph sums the squares of the op's result, so that every element has a
// gradient of its own.
func foreignGraph(g *tensor.Graph, op func(x, w, v *tensor.Node) *tensor.Node) (in tensor.Nodes, loss *tensor.Node) {
	x, w, v := tensor.Input(g, tensor.Float64, "x", 4, 3), tensor.Input(g, tensor.Float64, "w", 3, 2), tensor.Input(g, tensor.Float64, "v", 4)
	y := op(x, w, v)
	if y.Dims() > 0 {
		y = must(gorgonia.Sum(must(gorgonia.Square(y))))
	}
	return tensor.Nodes{x, w, v}, y
}

func foreignValues() [][]float64 {
	vs := [][]float64{normal("x", 12), normal("w", 6), normal("v", 4)}
	for i, x := range vs[0] {
		vs[0][i] = math.Abs(x) + 0.1
	}
	return vs
}

func TestGorgoniasOpsRunLikeInTapeMachine(t *testing.T) {
	for name, op := range foreignOps {
		t.Run(name, func(t *testing.T) {
			// Gorgonia alone: its Grad, its machine.
			g1 := tensor.NewGraph()
			in, loss := foreignGraph(g1, op)
			vs := foreignValues()
			for i, n := range in {
				require.NoError(t, gorgonia.Let(n, gtensor.New(gtensor.WithShape(n.Shape()...), gtensor.WithBacking(append([]float64(nil), vs[i]...)))))
			}
			var wrt tensor.Nodes // Gorgonia's Grad wants what influences the loss
			var used []int
			for i, n := range in {
				if it := g1.To(n.ID()); it.Len() > 0 {
					wrt, used = append(wrt, n), append(used, i)
				}
			}
			grads, err := gorgonia.Grad(loss, wrt...)
			require.NoError(t, err)
			tape := gorgonia.NewTapeMachine(g1)
			defer tape.Close()
			require.NoError(t, tape.RunAll())

			for _, debug := range []tensor.Debug{{}, {Poison: true}, {NoReuse: true}} {
				var in tensor.Nodes
				var ours tensor.Nodes
				var seed *tensor.Node
				g, err := tensor.Build(func(g *tensor.Graph) {
					var l *tensor.Node
					in, l = foreignGraph(g, op)
					seed = tensor.Input(g, tensor.Float64, "seed")
					var wrt tensor.Nodes
					for _, i := range used {
						wrt = append(wrt, in[i])
					}
					ours = append(tensor.Nodes{l}, tensor.Gradient(l, seed, wrt...)...)
				})
				require.NoError(t, err)
				p, err := tensor.Compile(g, ours, tensor.CompileOptions{Debug: debug})
				require.NoError(t, err)
				for i, n := range in {
					require.NoError(t, tensor.Bind(p, n, vs[i]))
				}
				require.NoError(t, tensor.Bind(p, seed, []float64{1}))
				for range 2 { // results must not pile up
					require.NoError(t, p.Run())
					l, err := tensor.Values[float64](p, ours[0])
					require.NoError(t, err)
					require.InDelta(t, loss.Value().Data(), l[0], 1e-14)
					for i := range grads {
						got, err := tensor.Values[float64](p, ours[1+i])
						require.NoError(t, err)
						requireClose(t, grads[i].Value().Data().([]float64), got, 1e-14, "gradient")
					}
				}
			}
		})
	}
}

// userLosses are losses a user would write on a log-probability node (6 tokens,
// 4 of them live) with Gorgonia's ops. Gorgonia sees dead rows as zeros.
var userLosses = map[string]func(logp, old, adv *tensor.Node) *tensor.Node{
	"policy gradient": func(logp, _, adv *tensor.Node) *tensor.Node {
		return must(gorgonia.Neg(must(gorgonia.Sum(must(gorgonia.HadamardProd(logp, adv))))))
	},
	"importance ratio": func(logp, old, adv *tensor.Node) *tensor.Node {
		ratio := must(gorgonia.Exp(must(gorgonia.Sub(logp, old))))
		return must(gorgonia.Neg(must(gorgonia.Sum(must(gorgonia.HadamardProd(ratio, adv))))))
	},
	"squares through ours": func(logp, old, adv *tensor.Node) *tensor.Node {
		// Gorgonia's result feeds an op of ours, which must see live rows only.
		diff := must(gorgonia.Sub(logp, old))
		return must(gorgonia.Sum(tensor.Mul(tensor.Square(diff), adv)))
	},
	"halves": func(logp, _, adv *tensor.Node) *tensor.Node {
		a := must(gorgonia.Sum(must(gorgonia.Slice(logp, gorgonia.S(0, 3)))))
		b := must(gorgonia.Sum(must(gorgonia.Slice(must(gorgonia.HadamardProd(logp, adv)), gorgonia.S(3, 6)))))
		return must(gorgonia.Neg(must(gorgonia.Log(must(gorgonia.Sigmoid(must(gorgonia.Sub(a, b))))))))
	},
	"sum of squares": func(logp, _, _ *tensor.Node) *tensor.Node {
		return must(gorgonia.Sum(must(gorgonia.Square(logp))))
	},
}

func TestUserLossesOnLogProbs(t *testing.T) {
	const n, d, v = 6, 5, 11
	for name, loss := range userLosses {
		f := gradcheck.Function{
			Inputs: []gradcheck.Input{
				{Name: "h", Shape: []int{n, d}, Data: normal("h", n*d)},
				{Name: "head", Shape: []int{v, d}, Data: normal("head", v*d)},
				{Name: "norm", Data: normal("norm", d)},
				{Name: "rows", IDs: []int32{0, 2, 1, 3, math.MaxInt32, math.MaxInt32}},
				{Name: "targets", IDs: []int32{3, 1, 4, 1, math.MaxInt32, math.MaxInt32}},
				{Name: "old", Data: normal("old", n), Constant: true},
				{Name: "advantage", Data: normal("advantage", n), Constant: true},
			},
			Axes: []gradcheck.Axis{
				{Name: "tokens", Inputs: []string{"h"}, Live: 4},
				{Name: "scored", Inputs: []string{"rows", "targets", "old", "advantage"}, Live: 4},
			},
			Build: func(_ *tensor.Graph, in map[string]*tensor.Node) tensor.Nodes {
				h := tensor.RMSNorm(in["h"], in["norm"], tensor.NormOptions{Eps: 1e-3})
				p := tensor.TokenLogProb(h, in["head"], in["rows"], in["targets"], tensor.LogProbOptions{})
				return tensor.Nodes{loss(p.LogProb, in["old"], in["advantage"])}
			},
		}
		r, err := gradcheck.Check(f, gradcheck.Options{})
		require.NoError(t, err, name)
		require.Equal(t, 4*d+v*d+d, r.Checked)
	}
}

// hiddenLosses work on hidden states (6 rows of width 6, 4 of them live): the
// width equals the capacity, so that only what an op does tells rows from
// columns.
var hiddenLosses = map[string]func(h *tensor.Node) *tensor.Node{
	"sum": func(h *tensor.Node) *tensor.Node { return must(gorgonia.Sum(must(gorgonia.Square(h)))) },
	"row products": func(h *tensor.Node) *tensor.Node {
		return tensor.Sum(must(gorgonia.Mul(h, must(gorgonia.Transpose(h)))))
	},
	"column products": func(h *tensor.Node) *tensor.Node {
		return tensor.Sum(must(gorgonia.Mul(must(gorgonia.Transpose(h)), h)))
	},
	"transposed":      func(h *tensor.Node) *tensor.Node { return tensor.Sum(tensor.Square(must(gorgonia.Transpose(h)))) },
	"sums of rows":    func(h *tensor.Node) *tensor.Node { return tensor.Sum(tensor.Square(must(gorgonia.Sum(h, 1)))) },
	"sums of columns": func(h *tensor.Node) *tensor.Node { return tensor.Sum(tensor.Square(must(gorgonia.Sum(h, 0)))) },
	"first columns": func(h *tensor.Node) *tensor.Node {
		return tensor.Sum(tensor.Exp(must(gorgonia.Slice(h, nil, gorgonia.S(0, 2)))))
	},
	"side by side": func(h *tensor.Node) *tensor.Node { return tensor.Sum(tensor.Exp(must(gorgonia.Concat(1, h, h)))) },
	"other shape": func(h *tensor.Node) *tensor.Node {
		return tensor.Sum(tensor.Square(must(gorgonia.Reshape(h, gtensor.Shape{6, 2, 3}))))
	},
	"element by row": func(h *tensor.Node) *tensor.Node { return tensor.Sum(tensor.Mul(must(gorgonia.Exp(h)), h)) },
	"element, then us": func(h *tensor.Node) *tensor.Node {
		return tensor.Sum(tensor.RMSNorm(must(gorgonia.Tanh(h)), nil, tensor.NormOptions{Eps: 1e-3}))
	},
}

func TestUserLossesOnHiddenStates(t *testing.T) {
	const n, live = 6, 4
	for name, loss := range hiddenLosses {
		function := func(rows int, axes []gradcheck.Axis) gradcheck.Function {
			return gradcheck.Function{
				Inputs: []gradcheck.Input{{Name: "x", Shape: []int{rows, n}, Data: normal("x", rows*n)}, {Name: "w", Shape: []int{n, n}, Data: normal("w", n*n)}},
				Axes:   axes,
				Build: func(_ *tensor.Graph, in map[string]*tensor.Node) tensor.Nodes {
					h := tensor.Linear(tensor.RMSNorm(in["x"], nil, tensor.NormOptions{Eps: 1e-3}), in["w"], nil)
					return tensor.Nodes{loss(h)}
				},
			}
		}
		_, err := gradcheck.Check(function(n, []gradcheck.Axis{{Name: "rows", Inputs: []string{"x"}, Live: live}}), gradcheck.Options{})
		require.NoError(t, err, name)

		// The value is that of a graph of just the live rows: zeros behind them
		// add nothing in any of these losses.
		if name == "other shape" {
			continue // does not build for 4 rows
		}
		value := func(rows int, dynamic bool) float64 {
			x := operand{name: "x", shape: []int{live, n}, data: normal("x", live*n)}
			if dynamic {
				x.axis = "rows"
			}
			c := opCase{in: []operand{x, {name: "w", shape: []int{n, n}, data: normal("w", n*n)}},
				build: func(in nodes) tensor.Nodes { return function(rows, nil).Build(nil, in) }}
			return newRun[float64](t, c, setting{exact: !dynamic}).results(t)[0][0]
		}
		require.InDelta(t, value(live, false), value(n, true), 1e-12, name)
	}
}

// Two programs of one graph with a product of Gorgonia's, which transposes
// headers in place, on one parameter.
func TestGorgoniasOpsHaveHeadersOfTheirOwn(t *testing.T) {
	w, err := tensor.NewParam("w", normal("w", 6), 3, 2)
	require.NoError(t, err)
	require.NoError(t, w.SetTrainable(true))
	var x, seed, loss *tensor.Node
	var acc []tensor.Accumulation
	g, err := tensor.Build(func(g *tensor.Graph) {
		x, seed = tensor.Input(g, tensor.Float64, "x", 4, 3), tensor.Input(g, tensor.Float64, "seed")
		loss = must(gorgonia.Mean(must(gorgonia.Square(must(gorgonia.Mul(x, w.Node(g)))))))
		for _, part := range tensor.Gradients(tensor.Nodes{loss}, tensor.Nodes{seed}, tensor.Nodes{w.Node(g)})[0] {
			acc = append(acc, tensor.Accumulation{Grad: part, Into: w})
		}
	})
	require.NoError(t, err)
	var programs []*tensor.Program
	for range 2 {
		p, err := tensor.Compile(g, tensor.Nodes{loss}, tensor.CompileOptions{Accumulate: acc})
		require.NoError(t, err)
		require.NoError(t, tensor.Bind(p, x, normal("x", 12)))
		require.NoError(t, tensor.Bind(p, seed, []float64{1}))
		programs = append(programs, p)
	}
	var first float64
	for i := range 6 {
		w.ZeroGrad()
		require.NoError(t, programs[i%2].Run())
		got, err := tensor.Values[float64](programs[i%2], loss)
		require.NoError(t, err)
		if i == 0 {
			first = got[0]
		}
		require.Equal(t, first, got[0])
		require.Equal(t, []int{3, 2}, w.Shape())
	}
}

// A user's loss trains: descent on a loss of Gorgonia's ops over our log-probs.
func TestUserLossTrains(t *testing.T) {
	shape := tiny
	shape.full, shape.rank = true, 0
	m := newModel[float32](t, shape)
	var loss, seed *tensor.Node
	var acc []tensor.Accumulation
	g, err := tensor.Build(func(g *tensor.Graph) {
		m.g, m.params = g, nil
		in := map[string]*tensor.Node{}
		for _, name := range []string{"rows", "targets"} {
			in[name] = tensor.Input(g, tensor.Int32, name, 8)
		}
		table, w := m.param(t, "table", true, 20, 12), m.param(t, "w", true, 12, 12)
		h := tensor.Activate(tensor.Linear(tensor.Embedding(table, in["rows"], 1), w, nil), tensor.GELUErf)
		logp := tensor.TokenLogProb(h, table, in["rows"], in["targets"], tensor.LogProbOptions{}).LogProb
		// Focal loss (Lin et al. 2017, arXiv:1708.02002, eq. 4 with γ = 1).
		miss := must(gorgonia.Sub(gorgonia.NewConstant(float32(1)), must(gorgonia.Exp(logp))))
		loss = must(gorgonia.Neg(must(gorgonia.Mean(must(gorgonia.HadamardProd(miss, logp))))))
		seed = tensor.Input(g, tensor.Float32, "seed")
		for i, parts := range tensor.Gradients(tensor.Nodes{loss}, tensor.Nodes{seed}, tensor.Nodes{table, w}) {
			for _, part := range parts {
				acc = append(acc, tensor.Accumulation{Grad: part, Into: m.params[i]})
			}
		}
	})
	require.NoError(t, err)
	p, err := tensor.Compile(g, tensor.Nodes{loss}, tensor.CompileOptions{Accumulate: acc})
	require.NoError(t, err)
	require.NoError(t, tensor.Bind(p, g.ByName("rows")[0], []int32{0, 1, 2, 3, 4, 5, 6, 7}))
	require.NoError(t, tensor.Bind(p, g.ByName("targets")[0], []int32{9, 8, 7, 6, 5, 4, 3, 2}))
	require.NoError(t, tensor.Bind(p, seed, []float32{1}))
	var first, last float32
	for step := range 200 {
		for _, q := range m.params {
			q.ZeroGrad()
		}
		require.NoError(t, p.Run())
		v, err := tensor.Values[float32](p, loss)
		require.NoError(t, err)
		if last = v[0]; step == 0 {
			first = last
		}
		for _, q := range m.params {
			for i, d := range q.Grad() {
				q.Data()[i] -= 0.5 * d
			}
			q.Changed()
		}
	}
	require.Greater(t, first, float32(2), "about ln 20 at the start")
	require.Less(t, last, float32(0.05))
}

func TestGorgoniasBrokenGradientsAreRefused(t *testing.T) {
	for name, op := range map[string]func(x *tensor.Node) (*tensor.Node, error){"invSqrt": gorgonia.InverseSqrt, "log2": gorgonia.Log2} {
		var x, y *tensor.Node
		g, err := tensor.Build(func(g *tensor.Graph) {
			x = tensor.Input(g, tensor.Float64, "x", 2)
			y = must(op(x))
		})
		require.NoError(t, err)
		_, err = tensor.Compile(g, tensor.Nodes{y}, tensor.CompileOptions{})
		require.NoError(t, err, "the value is right")
		_, err = tensor.Build(func(g *tensor.Graph) {
			x := tensor.Input(g, tensor.Float64, "x", 2)
			tensor.Gradient(must(op(x)), tensor.Input(g, tensor.Float64, "seed", 2), x)
		})
		require.ErrorContains(t, err, "the gradient of Gorgonia's "+name+" is wrong")
	}
}
