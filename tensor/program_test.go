package tensor

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	gtensor "gorgonia.org/tensor"
)

// userLoss is a loss written with Gorgonia's ops on top of one of ours.
func userLoss(g *Graph, dt Dtype) (x, w, loss *Node) {
	x = Input(g, dt, "x", 4, 3)
	w = Input(g, dt, "w", 3, 2)
	h := gorgonia.Must(gorgonia.Mul(Add(x, x), w))
	s := gorgonia.Must(gorgonia.Sigmoid(h))
	loss = gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(s))))
	return x, w, loss
}

func ramp(n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = math.Sin(float64(i)*1.3 + 0.2)
	}
	return v
}

func TestProgramRunsGorgoniaOpsLikeTapeMachine(t *testing.T) {
	xs, ws := ramp(12), ramp(6)
	g1 := NewGraph()
	x1, w1, l1 := userLoss(g1, Float64)
	gs, err := gorgonia.Grad(l1, w1, x1)
	require.NoError(t, err)
	require.NoError(t, gorgonia.Let(x1, gtensor.New(gtensor.WithShape(4, 3), gtensor.WithBacking(append([]float64(nil), xs...)))))
	require.NoError(t, gorgonia.Let(w1, gtensor.New(gtensor.WithShape(3, 2), gtensor.WithBacking(append([]float64(nil), ws...)))))
	tape := gorgonia.NewTapeMachine(g1)
	defer tape.Close()
	require.NoError(t, tape.RunAll())

	for _, d := range []Debug{{}, {NoReuse: true}, {NoInPlace: true}, {Poison: true}} {
		var x, w, loss *Node
		var grads Nodes
		g, err := Build(func(g *Graph) {
			x, w, loss = userLoss(g, Float64)
			grads = Gradient(loss, Input(g, Float64, "seed"), w, x)
		})
		require.NoError(t, err)
		p, err := Compile(g, Nodes{loss, grads[0], grads[1]}, CompileOptions{Debug: d})
		require.NoError(t, err)
		require.NoError(t, Bind(p, x, xs))
		require.NoError(t, Bind(p, w, ws))
		require.NoError(t, Bind(p, g.ByName("seed")[0], []float64{1}))
		for range 2 { // the second run must not see leftovers of the first
			require.NoError(t, p.Run())
			got, err := Values[float64](p, loss)
			require.NoError(t, err)
			require.Equal(t, l1.Value().Data().(float64), got[0])
			for i := range grads {
				got, err := Values[float64](p, grads[i])
				require.NoError(t, err)
				require.InDeltaSlice(t, gs[i].Value().Data().([]float64), got, 1e-15)
			}
		}
	}
}

func TestGradientsAccumulateIntoParameters(t *testing.T) {
	p, err := NewParam("w", []float64{1, 2, 3}, 3)
	require.NoError(t, err)
	require.NoError(t, p.SetTrainable(true))
	var seed *Node
	var acc []Accumulation
	g, err := Build(func(g *Graph) {
		w := p.Node(g)
		y := Add(Mul(w, w), w) // dy/dw = 2w + 1 in three contributions
		seed = Input(g, Float64, "seed", 3)
		for _, part := range Gradients(Nodes{y}, Nodes{seed}, Nodes{w})[0] {
			acc = append(acc, Accumulation{part, p})
		}
	})
	require.NoError(t, err)
	prog, err := Compile(g, nil, CompileOptions{Accumulate: acc})
	require.NoError(t, err)
	require.NoError(t, Bind(prog, seed, []float64{1, 1, 10}))
	require.NoError(t, prog.Run())
	require.NoError(t, prog.Run())
	require.Equal(t, []float64{6, 10, 140}, p.Grad64())
}

func TestBuildReportsFaults(t *testing.T) {
	_, err := Build(func(g *Graph) {
		Input(g, Float32, "x", 2)
		Input(g, Float32, "x", 2)
	})
	require.ErrorIs(t, err, ErrBuild)
	require.ErrorContains(t, err, `"x" is declared twice`)
	_, err = Build(func(g *Graph) { Add(Input(g, Float32, "a", 2), Input(g, Float32, "b", 3)) })
	require.ErrorIs(t, err, ErrBuild)
}

func TestDynamicAxisComputesLiveRowsOnly(t *testing.T) {
	var x, y *Node
	g, err := Build(func(g *Graph) {
		x = Input(g, Float32, "x", 8, 2)
		y = gorgonia.Must(gorgonia.Square(Add(x, x)))
	})
	require.NoError(t, err)
	p, err := Compile(g, Nodes{y}, CompileOptions{Axes: []Axis{{"rows", Nodes{x}}}, Debug: Debug{Poison: true}})
	require.NoError(t, err)
	require.Equal(t, 8, p.Capacity("rows"))
	for _, live := range []int{3, 8, 1} {
		require.NoError(t, p.SetLive("rows", live))
		xs := make([]float32, live*2)
		for i := range xs {
			xs[i] = float32(i)
		}
		require.NoError(t, Bind(p, x, xs))
		require.NoError(t, p.Run())
		got, err := Values[float32](p, y)
		require.NoError(t, err)
		require.Len(t, got, 2*live)
		for i, v := range got {
			require.Equal(t, 4*float32(i*i), v)
		}
	}
	require.Error(t, p.SetLive("rows", 9))
	require.NoError(t, p.SetLive("rows", 4))
	require.ErrorContains(t, p.Run(), "2 elements bound, want 8")
}

func TestBrokenGorgoniaOpsAreRefused(t *testing.T) {
	var y *Node
	g, err := Build(func(g *Graph) { y = gorgonia.Must(gorgonia.SoftMax(Input(g, Float32, "x", 2, 3))) })
	require.NoError(t, err)
	_, err = Compile(g, Nodes{y}, CompileOptions{})
	require.ErrorContains(t, err, "cannot be trusted")
}

func TestProgramAllocatesNothing(t *testing.T) {
	var x, y *Node
	g, err := Build(func(g *Graph) {
		x = Input(g, Float32, "x", 64, 64)
		y = x
		for range 20 {
			y = Add(y, Mul(y, x))
		}
	})
	require.NoError(t, err)
	p, err := Compile(g, Nodes{y}, CompileOptions{})
	require.NoError(t, err)
	require.NoError(t, Bind(p, x, make([]float32, 64*64)))
	require.NoError(t, p.Run())
	require.Zero(t, testing.AllocsPerRun(10, func() { _ = p.Run() }))
}
