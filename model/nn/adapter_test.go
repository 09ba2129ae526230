package nn_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/posttrain/posttrain/model/nn"
	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/require"
)

// random is a matrix, or a vector for columns 0.
func random(t *testing.T, name string, rows, columns int) *tensor.Param {
	r := rand.New(rand.NewPCG(uint64(len(name))+uint64(name[0]), 1))
	shape := []int{rows, columns}
	if columns == 0 {
		shape, columns = shape[:1], 1
	}
	x := make([]float64, rows*columns)
	for i := range x {
		x[i] = r.NormFloat64()
	}
	p, err := tensor.NewParam(name, x, shape...)
	require.NoError(t, err)
	return p
}

// outcomeOf runs y with dropout keyed by one seed and returns it, then the gradients of
// the sum of its squares by params.
func outcomeOf(t *testing.T, params []*tensor.Param, build func(g *tensor.Graph) *tensor.Node) (list [][]float64) {
	var all tensor.Nodes
	one, err := tensor.NewParam("one", []float64{1}, 1)
	require.NoError(t, err)
	g, err := tensor.Build(func(g *tensor.Graph) {
		y := build(g)
		loss := tensor.Sum(tensor.Square(y))
		all = tensor.Nodes{y}
		for _, p := range params {
			all = append(all, tensor.Gradient(loss, one.Node(g), p.Node(g))...)
		}
	})
	require.NoError(t, err)
	p, err := tensor.Compile(g, all, tensor.CompileOptions{})
	require.NoError(t, err)
	defer p.Close()
	p.SetRandom(5, 6)
	require.NoError(t, p.Run())
	for _, n := range all {
		v, err := tensor.Values[float64](p, n)
		require.NoError(t, err)
		list = append(list, append([]float64(nil), v...))
	}
	return list
}

// TestDoRAIsPEFTsFormula builds PEFT's formula from single ops, with the lengths of the
// rows as constants: y = W·x + bias + (m/‖V‖ − 1)·W·x̃ + (m/‖V‖)·scale·B·A·x̃, with x̃
// the dropped x in training and x else. Values and all gradients are equal.
func TestDoRAIsPEFTsFormula(t *testing.T) {
	const n, in, out, r, scale = 5, 7, 6, 2, 0.75
	for _, turned := range []bool{false, true} {
		for _, dropout := range []float64{0, 0.4} {
			low := &nn.LowRank{A: random(t, "a", r, in), B: random(t, "bb", out, r), Magnitude: random(t, "mmm", out, 0), Scale: scale, Dropout: dropout, Salt: 9}
			l := &nn.Linear{Weight: random(t, "wwww", out, in), Bias: random(t, "ccccc", out, 0), Transposed: turned, Adapters: map[string]nn.Adapter{"a": low}}
			if turned {
				l.Weight = random(t, "wwww", in, out)
			}
			x := random(t, "xxxxxx", n, in)
			params := []*tensor.Param{x, low.A, low.B, low.Magnitude, l.Bias}
			got := outcomeOf(t, params, func(g *tensor.Graph) *tensor.Node {
				return l.Forward(&nn.Inputs{Adapter: "a", Training: true}, x.Node(g))
			})
			lengths := lengthsOf(t, l, low)
			want := outcomeOf(t, params, func(g *tensor.Graph) *tensor.Node {
				project := tensor.Linear
				if turned {
					project = tensor.LinearTransposed
				}
				dropped := tensor.Dropout(x.Node(g), dropout, 9)
				ratio := tensor.Div(low.Magnitude.Node(g), lengths.Node(g))
				base := tensor.ScaleColumns(project(dropped, l.Weight.Node(g), nil), tensor.AddScalar(ratio, -1), nil)
				update := tensor.Scale(tensor.Linear(tensor.Linear(dropped, low.A.Node(g), nil), low.B.Node(g), nil), scale)
				rest := tensor.Add(base, tensor.ScaleColumns(update, ratio, nil))
				return tensor.Add(project(x.Node(g), l.Weight.Node(g), l.Bias.Node(g)), rest)
			})
			for i := range want {
				require.InDeltaSlice(t, want[i], got[i], 1e-10, "turned %t, dropout %g, %d", turned, dropout, i)
			}
		}
	}
}

// lengthsOf are the lengths of the rows of W + scale·B·A.
func lengthsOf(t *testing.T, l *nn.Linear, low *nn.LowRank) *tensor.Param {
	in, out, r := l.In(), l.Out(), low.A.Shape()[0]
	lengths := make([]float64, out)
	for o := range out {
		for i := range in {
			at := o*in + i
			if l.Transposed {
				at = i*out + o
			}
			x := l.Weight.Data64()[at]
			for k := range r {
				x += low.Scale * low.B.Data64()[o*r+k] * low.A.Data64()[k*in+i]
			}
			lengths[o] += x * x
		}
		lengths[o] = math.Sqrt(lengths[o])
	}
	p, err := tensor.NewParam("lengths", lengths, out)
	require.NoError(t, err)
	return p
}

// onlyLinear is an adapter that cannot change a head.
type onlyLinear struct{}

func (onlyLinear) Forward(in *nn.Inputs, l *nn.Linear, x *tensor.Node) *tensor.Node {
	return tensor.Scale(l.Plain(in, x), 2)
}

// TestAdaptersFromOutside: any type with Forward is an adapter; on a head it must be
// able to say what happens to the distribution.
func TestAdaptersFromOutside(t *testing.T) {
	l := &nn.Linear{Path: "proj", Weight: matrix(t, "w", 2, 1, 2, 3, 4), Adapters: map[string]nn.Adapter{"twice": onlyLinear{}}}
	got := outcomeOf(t, nil, func(g *tensor.Graph) *tensor.Node { return l.Forward(&nn.Inputs{Adapter: "twice"}, vectorInput(t, g)) })
	require.Equal(t, []float64{10, 22}, got[0])
	for want, a := range map[string]nn.Adapter{
		"an adapter of type nn_test.onlyLinear cannot change an output head": onlyLinear{},
		"proj is an output head with a magnitude, want none":                 &nn.LowRank{A: matrix(t, "a", 1, 1, 2), B: vector(t, "b", 1, 2), Magnitude: vector(t, "m", 1, 2)},
		"proj is an output head, whose logits cannot be scaled one by one":   &nn.Scaling{Out: vector(t, "o", 1, 2)},
	} {
		l.Adapters["x"] = a
		_, err := tensor.Build(func(g *tensor.Graph) {
			l.Distribution(&nn.Inputs{Adapter: "x"}, vectorInput(t, g), tensor.LogProbOptions{})
		})
		require.ErrorContains(t, err, want)
	}
}
