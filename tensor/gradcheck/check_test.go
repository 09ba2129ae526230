package gradcheck_test

import (
	"math"
	"testing"

	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/gradcheck"
	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
)

// cubeWithSlope is x³ with a gradient that the test chooses.
func cubeWithSlope(x *tensor.Node, slope func(x float64) float64) *tensor.Node {
	elementwise := func(f func(c *tensor.Call, i int) float64) tensor.Kernel {
		return func(c *tensor.Call) {
			out := tensor.Slice[float64](&c.Out[0])
			for i := range out {
				out[i] = f(c, i)
			}
		}
	}
	at := func(c *tensor.Call, input, i int) float64 { return tensor.Slice[float64](&c.In[input])[i] }
	out := []tensor.Output{{Shape: x.Shape().Clone(), Dtype: x.Dtype(), Axis: 1}}
	return tensor.Apply(tensor.Spec{
		Name: "cube", Out: out, Differentiable: []bool{true},
		Kernel: elementwise(func(c *tensor.Call, i int) float64 { return math.Pow(at(c, 0, i), 3) }),
		Gradient: func(b *tensor.Backward) tensor.Nodes {
			return tensor.Apply(tensor.Spec{
				Name: "cube.grad", Out: out, Differentiable: []bool{false, false},
				Kernel: elementwise(func(c *tensor.Call, i int) float64 { return slope(at(c, 0, i)) * at(c, 1, i) }),
			}, b.In[0], b.Grad[0])
		},
	}, x)[0]
}

func cube(slope func(x float64) float64) gradcheck.Function {
	return gradcheck.Function{
		Inputs: []gradcheck.Input{{Name: "x", Shape: []int{2, 2}, Data: []float64{0.5, -1.5, 2, 0.1}}},
		Build: func(_ *tensor.Graph, in map[string]*tensor.Node) tensor.Nodes {
			return tensor.Nodes{cubeWithSlope(in["x"], slope)}
		},
	}
}

func TestCheckAcceptsARightGradientAndNamesAWrongOne(t *testing.T) {
	right := cube(func(x float64) float64 { return 3 * x * x })
	r, err := gradcheck.Check(right, gradcheck.Options{})
	require.NoError(t, err)
	require.Equal(t, 4, r.Checked)
	require.Less(t, r.Worst.Error, 1e-8)

	// Wrong by one part in a hundred thousand, and at one element only.
	slightly := cube(func(x float64) float64 { return 3.00003 * x * x })
	_, err = gradcheck.Check(slightly, gradcheck.Options{})
	require.ErrorIs(t, err, gradcheck.ErrGradient)
	once := cube(func(x float64) float64 {
		if x == -1.5 {
			return 6.7
		}
		return 3 * x * x
	})
	r, err = gradcheck.Check(once, gradcheck.Options{})
	require.ErrorIs(t, err, gradcheck.ErrGradient)
	require.ErrorContains(t, err, "x[1]")
	require.Equal(t, 1, r.Worst.Index)

	broken := cube(func(float64) float64 { return math.NaN() })
	_, err = gradcheck.Check(broken, gradcheck.Options{})
	require.ErrorIs(t, err, gradcheck.ErrGradient)
}

func TestCheckSamplesParametersIdsAndGorgoniasOps(t *testing.T) {
	w, err := tensor.NewParam("w", []float64{0.3, -0.2, 0.5, 0.9, 1.1, -0.4}, 3, 2)
	require.NoError(t, err)
	require.NoError(t, w.SetTrainable(true))
	before := append([]float64(nil), w.Data64()...)
	f := gradcheck.Function{
		Inputs: []gradcheck.Input{
			{Name: "ids", IDs: []int32{2, 0, 2, 1}},
			{Name: "scale", Data: []float64{1, 2, 3, 4}, Shape: []int{4}},
			{Name: "fixed", Data: []float64{0.1, 0.2}, Shape: []int{2}, Constant: true},
		},
		Params: []*tensor.Param{w},
		Build: func(g *tensor.Graph, in map[string]*tensor.Node) tensor.Nodes {
			rows := tensor.Embedding(w.Node(g), in["ids"], 1)
			score := gorgonia.Must(gorgonia.Mul(rows, in["fixed"])) // Gorgonia's product
			return tensor.Nodes{tensor.Sum(tensor.Mul(score, tensor.Square(in["scale"])))}
		},
	}
	r, err := gradcheck.Check(f, gradcheck.Options{})
	require.NoError(t, err)
	require.Equal(t, 6+4, r.Checked)
	require.Equal(t, before, w.Data64(), "values are restored")
	r, err = gradcheck.Check(f, gradcheck.Options{Samples: 2})
	require.NoError(t, err)
	require.Equal(t, 4, r.Checked)
}

func TestCheckUsesLiveRowsAndRandomNumbersOfTheRun(t *testing.T) {
	f := gradcheck.Function{
		Inputs: []gradcheck.Input{{Name: "x", Shape: []int{6, 3}, Data: make([]float64, 18)}},
		Axes:   []gradcheck.Axis{{Name: "rows", Inputs: []string{"x"}, Live: 4}},
		Build: func(_ *tensor.Graph, in map[string]*tensor.Node) tensor.Nodes {
			return tensor.Nodes{tensor.Sum(tensor.Dropout(tensor.Exp(in["x"]), 0.5, 1))}
		},
	}
	for i := range f.Inputs[0].Data {
		f.Inputs[0].Data[i] = float64(i) / 20
	}
	for seed := range uint64(3) {
		r, err := gradcheck.Check(f, gradcheck.Options{Seed: seed})
		require.NoError(t, err)
		require.Equal(t, 12, r.Checked)
	}
}

func TestCheckReportsFaults(t *testing.T) {
	_, err := gradcheck.Check(gradcheck.Function{Inputs: []gradcheck.Input{{Name: "x"}}}, gradcheck.Options{})
	require.ErrorContains(t, err, "without Build")
	require.ErrorContains(t, err, `input "x": want either Data or IDs`)
	require.ErrorContains(t, err, "nothing to differentiate by")

	f := cube(nil)
	f.Build = func(_ *tensor.Graph, in map[string]*tensor.Node) tensor.Nodes {
		tensor.Fail("no such layer")
		return nil
	}
	_, err = gradcheck.Check(f, gradcheck.Options{})
	require.ErrorIs(t, err, tensor.ErrBuild)

	frozen, err := tensor.NewParam("frozen", []float64{1}, 1)
	require.NoError(t, err)
	f.Params = []*tensor.Param{frozen}
	_, err = gradcheck.Check(f, gradcheck.Options{})
	require.ErrorContains(t, err, "want a trainable parameter")
}
