package tensor

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// ropeTrial rotates heads of width 6, of which 4 dimensions turn.
func ropeTrial(interleaved bool) trial {
	rng := rand.New(rand.NewPCG(1, 2))
	return trial{
		floats: map[string][]float64{"x": normal(rng, 5*12)},
		ints:   map[string][]int32{"positions": {0, 1, 2, 0, 70000}},
		shapes: map[string][]int{"x": {5, 12}},
		build: func(in map[string]*Node) Nodes {
			o := RoPEOptions{HeadDim: 6, Rotary: 4, InvFreq: []float64{1, 0.01}, Scale: 1.5, Interleaved: interleaved}
			return Nodes{RoPE(in["x"], in["positions"], o)}
		},
	}
}

// naiveRoPE is ropeTrial by its definition.
func naiveRoPE(tr trial, interleaved bool) []float64 {
	y := append([]float64(nil), tr.floats["x"]...)
	for i, p := range tr.ints["positions"] {
		for h := range 2 {
			row := y[i*12+h*6:][:6]
			for k, f := range []float64{1, 0.01} {
				a, b := k, k+2
				if interleaved {
					a, b = 2*k, 2*k+1
				}
				s, c := math.Sincos(float64(p) * f)
				row[a], row[b] = 1.5*(row[a]*c-row[b]*s), 1.5*(row[b]*c+row[a]*s)
			}
		}
	}
	return y
}

func TestRoPEEqualsItsDefinition(t *testing.T) {
	for _, interleaved := range []bool{false, true} {
		tr := ropeTrial(interleaved)
		want := naiveRoPE(tr, interleaved)
		requireClose(t, want, runTrial[float64](t, tr)[0], 1e-15, "float64")
		requireClose(t, want, runTrial[float32](t, tr)[0], 3e-7, "float32")
		checkGradients(t, tr, "x")
	}
}

func TestRoPESharesItsTable(t *testing.T) {
	scaling := RoPEScaling{Type: "dynamic", Factor: 2, MaxPositionEmbeddings: 4}
	_, err := Build(func(g *Graph) {
		x, positions := Input(g, Float32, "x", 3, 8), Input(g, Int32, "positions", 3)
		other := Input(g, Int32, "other", 3)
		plain := RoPEOptions{HeadDim: 4, InvFreq: []float64{1, 0.1}}
		different := RoPEOptions{HeadDim: 4, InvFreq: []float64{1, 0.2}}
		long, err := scaling.Options(4)
		require.NoError(t, err)
		long.Ends = Input(g, Int32, "ends", 1)
		again, err := scaling.Options(4)
		require.NoError(t, err)
		again.Ends = long.Ends
		scaling.Factor = 3
		longer, err := scaling.Options(4)
		require.NoError(t, err)
		longer.Ends = long.Ends
		table := func(positions *Node, o RoPEOptions) *Node {
			return children(g, RoPE(x, positions, o))[1]
		}
		require.Same(t, table(positions, plain), table(positions, plain))
		require.NotSame(t, table(positions, plain), table(other, plain))
		require.NotSame(t, table(positions, plain), table(positions, different))
		require.Same(t, table(positions, long), table(positions, again))
		require.NotSame(t, table(positions, long), table(positions, longer))
	})
	require.NoError(t, err)
}

func TestRoPEByLengthUsesTheLengthOfEachSequence(t *testing.T) {
	o, err := RoPEScaling{Type: "dynamic", Factor: 2, MaxPositionEmbeddings: 4}.Options(4)
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(1, 2))
	tr := trial{
		floats: map[string][]float64{"x": normal(rng, 9*4)},
		ints:   map[string][]int32{"positions": {0, 1, 2, 0, 1, 2, 3, 4, 5}, "ends": {3, 9}, "slots": {7, 7, 7, 1, 1, 1, 1, 1, 1}},
		shapes: map[string][]int{"x": {9, 4}},
	}
	want := append([]float64(nil), tr.floats["x"]...)
	for i, p := range tr.ints["positions"] {
		length := 3
		if i >= 3 {
			length = 6
		}
		inv, scale := o.LengthFreqs(length)
		require.Equal(t, 1.0, scale)
		row := want[i*4:][:4]
		for k := range 2 {
			s, c := math.Sincos(float64(p) * inv[k])
			row[k], row[k+2] = row[k]*c-row[k+2]*s, row[k+2]*c+row[k]*s
		}
	}
	for _, by := range []string{"ends", "slots"} {
		tr.build = func(in map[string]*Node) Nodes {
			o := o
			if o.Ends = in["ends"]; by == "slots" {
				o.Ends, o.Slots = nil, in["slots"]
			}
			return Nodes{RoPE(in["x"], in["positions"], o)}
		}
		requireClose(t, want, runTrial[float64](t, tr)[0], 1e-15, by)
	}
}

func TestRoPEComputesLiveRowsOnly(t *testing.T) {
	tr := ropeTrial(false)
	want := runTrial[float32](t, tr)
	tr.shapes = map[string][]int{"x": {9, 12}, "positions": {9}}
	tr.axes = map[string][]string{"rows": {"x", "positions"}}
	tr.live = map[string]int{"rows": 5}
	require.Equal(t, want, runTrial[float32](t, tr))
}

func TestRoPEAllocatesNothing(t *testing.T) {
	tr := ropeTrial(false)
	k := compileTrial[float32](t, tr)
	k.run(t)
	k.requireNoAllocations(t)
}

func TestRoPERefusesNegativePositions(t *testing.T) {
	tr := ropeTrial(false)
	tr.ints["positions"][1] = -1
	k := compileTrial[float32](t, tr)
	require.ErrorContains(t, k.p.Run(), "position -1 of row 1 is negative")
}
