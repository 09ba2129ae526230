package tensor_test

import (
	"fmt"
	"hash/fnv"
	"testing"

	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
)

// Gorgonia merges nodes of equal hash; no two applications of our ops have one.
func TestOpsAreNeverMerged(t *testing.T) {
	_, err := tensor.Build(func(g *tensor.Graph) {
		x := tensor.Input(g, tensor.Float32, "x", 4, 4)
		seen := map[*tensor.Node]bool{}
		hashes := map[uint32]bool{}
		for range 50 {
			for _, n := range []*tensor.Node{tensor.Dropout(x, 0.1, 1), tensor.Dropout(x, 0.9, 1), tensor.Exp(x), tensor.Add(x, x), tensor.Linear(x, x, nil)} {
				require.False(t, seen[n])
				require.False(t, hashes[n.Hashcode()])
				seen[n], hashes[n.Hashcode()] = true, true
			}
		}
	})
	require.NoError(t, err)
}

// collidingNames finds two input names that Gorgonia's 32-bit hash cannot tell
// apart.
func collidingNames(g *tensor.Graph) (a, b string) {
	// What a node writes is its type, its shape, its name and its number of
	// children.
	n := tensor.Input(g, tensor.Float64, "x", 2)
	prefix := fmt.Sprintf("%v%v", n.Type(), n.Shape())
	seen := map[uint32]string{}
	for i := 0; ; i++ {
		name := fmt.Sprintf("layers.%d.w", i)
		h := fnv.New32a()
		h.Write(append([]byte(prefix+name), 0))
		if other, ok := seen[h.Sum32()]; ok {
			return other, name
		}
		seen[h.Sum32()] = name
	}
}

func TestInputsThatGorgoniaConfusesAreRefused(t *testing.T) {
	a, b := collidingNames(tensor.NewGraph())
	var y *tensor.Node
	g, err := tensor.Build(func(g *tensor.Graph) {
		x, z := tensor.Input(g, tensor.Float64, a, 2), tensor.Input(g, tensor.Float64, b, 2)
		require.Equal(t, x.Hashcode(), z.Hashcode())
		y = tensor.Add(gorgonia.Must(gorgonia.Square(x)), gorgonia.Must(gorgonia.Square(z)))
	})
	require.NoError(t, err)
	_, err = tensor.Compile(g, tensor.Nodes{y}, tensor.CompileOptions{})
	require.ErrorIs(t, err, tensor.ErrBuild)
	require.ErrorContains(t, err, fmt.Sprintf("inputs %q and %q are equal", a, b))
}

func TestParametersAreInputsOfTheirName(t *testing.T) {
	p, err := tensor.NewParam("w", []float32{1, 2}, 2)
	require.NoError(t, err)
	q, err := tensor.NewParam("w", []float32{1, 2}, 2)
	require.NoError(t, err)
	_, err = tensor.Build(func(g *tensor.Graph) {
		require.Same(t, p.Node(g), p.Node(g), "declared once")
		q.Node(g)
	})
	require.ErrorContains(t, err, "parameter w: the graph has another input of that name")
	_, err = tensor.Build(func(g *tensor.Graph) {
		p.Node(g)
		tensor.Input(g, tensor.Float32, "w", 2)
	})
	require.ErrorContains(t, err, `input "w" is declared twice`)
}

// Panics of other kinds than faults of the graph are bugs and stay panics.
func TestBuildCatchesFaultsOnly(t *testing.T) {
	require.Panics(t, func() { _, _ = tensor.Build(func(*tensor.Graph) { panic("bug") }) })
	g, err := tensor.Build(func(g *tensor.Graph) { tensor.Fail("layer %d", 3) })
	require.Nil(t, g)
	require.EqualError(t, err, "tensor: graph cannot be built: layer 3")
}

func TestCompileChecksAxes(t *testing.T) {
	build := func(f func(x, y *tensor.Node) (tensor.Nodes, []tensor.Axis)) error {
		var outs tensor.Nodes
		var axes []tensor.Axis
		g, err := tensor.Build(func(g *tensor.Graph) {
			outs, axes = f(tensor.Input(g, tensor.Float32, "x", 4), tensor.Input(g, tensor.Float32, "y", 5))
		})
		require.NoError(t, err)
		_, err = tensor.Compile(g, outs, tensor.CompileOptions{Axes: axes})
		return err
	}
	err := build(func(x, y *tensor.Node) (tensor.Nodes, []tensor.Axis) {
		return tensor.Nodes{tensor.Exp(x)}, []tensor.Axis{{Name: "n", Inputs: tensor.Nodes{x, y}}}
	})
	require.ErrorContains(t, err, "axis n: input y has 5 rows, x has 4")
	err = build(func(x, _ *tensor.Node) (tensor.Nodes, []tensor.Axis) {
		y := tensor.Exp(x)
		return tensor.Nodes{y}, []tensor.Axis{{Name: "n", Inputs: tensor.Nodes{y}}}
	})
	require.ErrorContains(t, err, "is not an input with a leading dimension")
	err = build(func(x, _ *tensor.Node) (tensor.Nodes, []tensor.Axis) {
		return tensor.Nodes{tensor.Exp(x)}, []tensor.Axis{{Name: "n"}}
	})
	require.ErrorContains(t, err, "axis n has no input")
}

func TestCompileChecksCheckpoints(t *testing.T) {
	var a, b *tensor.Node
	g, err := tensor.Build(func(g *tensor.Graph) {
		a = tensor.Exp(tensor.Input(g, tensor.Float32, "x", 4))
		b = tensor.Exp(a)
	})
	require.NoError(t, err)
	_, err = tensor.Compile(g, tensor.Nodes{b}, tensor.CompileOptions{Checkpoints: tensor.Nodes{b, a}})
	require.ErrorContains(t, err, "checkpoint 1 was made before checkpoint 0")
	_, err = tensor.Compile(g, tensor.Nodes{b}, tensor.CompileOptions{Checkpoints: tensor.Nodes{nil}})
	require.ErrorContains(t, err, "checkpoint 0 is nil")
}
