package tensor

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// trial is one graph with its inputs. build gets the inputs by name and returns
// the outputs that are looked at.
type trial struct {
	floats map[string][]float64
	ints   map[string][]int32
	shapes map[string][]int // of the capacity; default: a vector of the data's length
	axes   map[string][]string
	live   map[string]int
	device *Device
	build  func(in map[string]*Node) Nodes
}

// compiled is a trial ready to run in T.
type compiled[T Float] struct {
	p     *Program
	nodes map[string]*Node
	outs  Nodes
	data  map[string][]T
}

// compileTrial builds the trial's graph. Where wrt is given, outputs are
// followed by their gradients, with an input "seed<i>" for each output.
func compileTrial[T Float](t testing.TB, tr trial, wrt ...string) compiled[T] {
	t.Helper()
	k := compiled[T]{nodes: map[string]*Node{}, data: map[string][]T{}}
	g, err := Build(func(g *Graph) {
		for _, name := range slices.Sorted(maps.Keys(tr.floats)) {
			k.nodes[name] = Input(g, dtypeOf[T](), name, tr.shape(name)...)
		}
		for _, name := range slices.Sorted(maps.Keys(tr.ints)) {
			k.nodes[name] = Input(g, Int32, name, tr.shape(name)...)
		}
		k.outs = tr.build(k.nodes)
		if len(wrt) > 0 {
			var seeds, by Nodes
			for i, o := range k.outs {
				seeds = append(seeds, Input(g, o.Dtype(), seedName(i), o.Shape()...))
				k.nodes[seedName(i)] = seeds[i]
			}
			for _, name := range wrt {
				by = append(by, k.nodes[name])
			}
			for _, parts := range Gradients(k.outs, seeds, by) {
				k.outs = append(k.outs, sum(parts))
			}
		}
	})
	require.NoError(t, err)
	o := CompileOptions{Device: tr.device, Debug: Debug{Poison: true}}
	for _, name := range slices.Sorted(maps.Keys(tr.axes)) {
		a := Axis{Name: name}
		for _, in := range tr.axes[name] {
			a.Inputs = append(a.Inputs, k.nodes[in])
		}
		o.Axes = append(o.Axes, a)
	}
	k.p, err = Compile(g, k.outs, o)
	require.NoError(t, err)
	for name, n := range tr.live {
		require.NoError(t, k.p.SetLive(name, n))
	}
	for name, xs := range tr.floats {
		k.bind(t, name, xs)
	}
	for name, xs := range tr.ints {
		require.NoError(t, Bind(k.p, k.nodes[name], xs))
	}
	return k
}

func seedName(i int) string { return "seed" + string(rune('0'+i)) }

func (tr *trial) shape(name string) []int {
	if s, ok := tr.shapes[name]; ok {
		return s
	}
	return []int{len(tr.floats[name]) + len(tr.ints[name])}
}

func (k *compiled[T]) bind(t testing.TB, name string, xs []float64) {
	t.Helper()
	data := make([]T, len(xs))
	for i, x := range xs {
		data[i] = T(x)
	}
	k.data[name] = data
	require.NoError(t, Bind(k.p, k.nodes[name], data))
}

// run runs the program and returns output i as float64.
func (k *compiled[T]) run(t testing.TB) [][]float64 {
	t.Helper()
	require.NoError(t, k.p.Run())
	var res [][]float64
	for _, o := range k.outs {
		if o.Dtype() == Int32 {
			ids, err := Values[int32](k.p, o)
			require.NoError(t, err)
			var out []float64
			for _, x := range ids {
				out = append(out, float64(x))
			}
			res = append(res, out)
			continue
		}
		v, err := Values[T](k.p, o)
		require.NoError(t, err)
		out := make([]float64, len(v))
		for i, x := range v {
			out[i] = float64(x)
		}
		res = append(res, out)
	}
	return res
}

// runTrial compiles and runs a trial, twice, because the second run must not see
// leftovers of the first.
func runTrial[T Float](t testing.TB, tr trial) [][]float64 {
	t.Helper()
	k := compileTrial[T](t, tr)
	k.run(t)
	return k.run(t)
}

// runGradients is runTrial with gradients by wrt for the given seeds.
func runGradients[T Float](t testing.TB, tr trial, seeds [][]float64, wrt ...string) (outs, grads [][]float64) {
	t.Helper()
	k := compileTrial[T](t, tr, wrt...)
	for i, s := range seeds {
		k.bind(t, seedName(i), s)
	}
	k.run(t)
	all := k.run(t)
	return all[:len(seeds)], all[len(seeds):]
}

// differenceTolerance bounds the relative error of central differences with
// step 1e-5 in float64: truncation and rounding are each about 1e-10, measured
// against gradients that may cancel.
const differenceTolerance = 2e-7

// checkGradients compares gradients by every element of wrt with central
// differences of Σ seed·output.
func checkGradients(t *testing.T, tr trial, wrt ...string) {
	t.Helper()
	forward := compileTrial[float64](t, tr)
	first := forward.run(t)
	rng := rand.New(rand.NewPCG(5, 7))
	seeds := make([][]float64, len(first))
	for i, o := range first {
		seeds[i] = normal(rng, len(o))
	}
	_, grads := runGradients[float64](t, tr, seeds, wrt...)
	value := func() float64 {
		var total float64
		for i, o := range forward.run(t) {
			for j, x := range o {
				total += x * seeds[i][j]
			}
		}
		return total
	}
	for w, name := range wrt {
		data := forward.data[name]
		for i := range grads[w] {
			const step = 1e-5
			old := data[i]
			data[i] = old + step
			up := value()
			data[i] = old - step
			down := value()
			data[i] = old
			want := (up - down) / (2 * step)
			require.InDelta(t, want, grads[w][i], differenceTolerance*(1+math.Abs(want)), "gradient by %s[%d]", name, i)
		}
	}
}

// normal draws n numbers.
func normal(rng *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	return x
}

// requireClose compares two vectors with the largest magnitude as the scale.
func requireClose(t testing.TB, want, got []float64, tolerance float64, what string) {
	t.Helper()
	require.Len(t, got, len(want), what)
	scale := 0.0
	for _, x := range want {
		scale = max(scale, math.Abs(x))
	}
	for i := range want {
		if !(math.Abs(want[i]-got[i]) <= tolerance*(scale+1e-30)) {
			require.Failf(t, "not close", "%s: element %d: got %g, want %g within %g of %g", what, i, got[i], want[i], tolerance, scale)
		}
	}
}

// requireNoAllocations runs the kernels of a program that has run before.
func (k *compiled[T]) requireNoAllocations(t testing.TB) {
	t.Helper()
	require.Zero(t, testing.AllocsPerRun(5, func() {
		for i := range k.p.ins {
			k.p.ins[i].kernel(&k.p.ins[i].call)
		}
	}))
}
