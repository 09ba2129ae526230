package tensor_test

import (
	"math"
	"testing"

	"github.com/posttrain/posttrain/internal/kernel"
	"github.com/posttrain/posttrain/tensor"
	"github.com/posttrain/posttrain/tensor/gradcheck"
	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	gtensor "gorgonia.org/tensor"
)

// Tolerances relative to the largest element of a result.
const (
	// definitionTol64 allows for sums in another order.
	definitionTol64 = 1e-13
	// valueTol32: a few roundings of 6e-8 each, and polynomials of exp, tanh and
	// erf that are good to some 1e-7.
	valueTol32 = 2e-6
	// gradientTol32: gradients of norms and divergences are differences of sums.
	gradientTol32 = 1e-5
)

// Sizes of the table: odd ones around vector widths, and ones that split into
// several pieces of parallel work and several blocks of rows.
var small, large = [2]int{7, 21}, [2]int{300, 130}

func forEach(t *testing.T, dims [2]int, f func(t *testing.T, c opCase)) {
	if dims == large && testing.Short() {
		dims[1] = 40
	}
	for _, c := range opCases(dims[0], dims[1]) {
		t.Run(c.name, func(t *testing.T) { f(t, c) })
	}
}

// atEveryLevel runs f with every instruction set the machine has.
func atEveryLevel(t *testing.T, f func(level string)) {
	for _, level := range kernel.Levels() {
		restore, err := kernel.SetLevel(level)
		require.NoError(t, err)
		f(level)
		restore()
	}
}

func TestOpsEqualTheirDefinitions(t *testing.T) {
	for _, dims := range [][2]int{small, large} {
		forEach(t, dims, func(t *testing.T, c opCase) {
			if c.want == nil {
				t.Skip("has a test of its own")
			}
			in := map[string]operand{}
			for _, o := range c.in {
				in[o.name] = o
			}
			want := c.want(in)
			for i, got := range newRun[float64](t, c, setting{}).results(t) {
				requireClose(t, want[i], got, definitionTol64, "float64")
			}
			atEveryLevel(t, func(level string) {
				for i, got := range newRun[float32](t, c, setting{}).results(t) {
					requireClose(t, want[i], got, valueTol32, level)
				}
			})
		})
	}
}

func TestGradientsOfOpsEqualDifferences(t *testing.T) {
	forEach(t, small, func(t *testing.T, c opCase) {
		if c.noGrad {
			t.Skip("no gradient")
		}
		_, err := gradcheck.Check(c.function(), gradcheck.Options{Seed: 5})
		require.NoError(t, err)
	})
}

func TestFloat32GradientsOfOpsEqualFloat64(t *testing.T) {
	forEach(t, large, func(t *testing.T, c opCase) {
		if c.noGrad {
			t.Skip("no gradient")
		}
		want := newRun[float64](t, c, setting{grads: true}).results(t)
		atEveryLevel(t, func(level string) {
			r := newRun[float32](t, c, setting{grads: true})
			for i, got := range r.results(t) {
				requireClose(t, want[i], got, gradientTol32, level)
			}
		})
	})
}

// Rows past the live ones are neither read, which would show as NaN or as an id
// out of range, nor written, and their number does not change a bit.
func TestOpsLeaveDeadRowsAlone(t *testing.T) {
	check := func(t *testing.T, c opCase) {
		s := setting{grads: !c.noGrad, debug: tensor.Debug{NoReuse: true, Poison: true}}
		r := newRun[float32](t, c, s)
		got := r.results(t)
		// RunAll binds nodes to the whole capacity.
		require.NoError(t, r.p.RunAll())
		for i, n := range r.outs {
			d, ok := n.Value().(*gtensor.Dense)
			if !ok || n.Dtype() != tensor.Float32 {
				continue
			}
			for k, x := range d.Float32s()[len(got[i]):] {
				require.True(t, math.IsNaN(float64(x)), "output %d, dead element %d is %g", i, k, x)
			}
		}
		// The same without dead rows: the seeds differ in length, so that only
		// the live part of them counts.
		s.exact = true
		require.Equal(t, newRun[float32](t, c, s).results(t), got)
	}
	forEach(t, small, check)
	forEach(t, large, check)
}

func TestOpsMayOverwriteOperands(t *testing.T) {
	forEach(t, small, func(t *testing.T, c opCase) {
		grads := !c.noGrad
		want := newRun[float32](t, c, setting{grads: grads, relay: true, debug: tensor.Debug{NoReuse: true, NoInPlace: true}}).results(t)
		r := newRun[float32](t, c, setting{grads: grads, relay: true, debug: tensor.Debug{Poison: true}})
		require.Equal(t, want, r.results(t))
		// Forward only: operands die earlier, so more is overwritten.
		r = newRun[float32](t, c, setting{relay: true, debug: tensor.Debug{Poison: true}})
		require.Equal(t, want[:r.first], r.results(t))
	})
}

func TestOpsDoNotDependOnCores(t *testing.T) {
	one, three := tensor.NewDevice(1), tensor.NewDevice(3)
	defer one.Close()
	defer three.Close()
	forEach(t, large, func(t *testing.T, c opCase) {
		s := setting{grads: !c.noGrad, device: one}
		want := newRun[float32](t, c, s).results(t)
		s.device = three
		require.Equal(t, want, newRun[float32](t, c, s).results(t))
	})
}

// Gorgonia's own machine runs our ops one by one with memory of their own: the
// executor must not change a bit.
func TestOpsRunUnderTapeMachine(t *testing.T) {
	forEach(t, small, func(t *testing.T, c opCase) {
		s := setting{grads: !c.noGrad, exact: true}
		r := newRun[float64](t, c, s)
		r.p.SetRandom(0, 0) // what an op has outside of a program
		want := r.results(t)
		for name, v := range r.values(c, s) {
			n := r.nodes[name]
			require.NoError(t, gorgonia.Let(n, gtensor.New(gtensor.WithShape(n.Shape()...), gtensor.WithBacking(v))))
		}
		tape := gorgonia.NewTapeMachine(r.g, gorgonia.BindDualValues())
		defer tape.Close()
		require.NoError(t, tape.RunAll())
		for i, n := range r.outs {
			var got []float64
			switch v := n.Value().Data().(type) {
			case []float64:
				got = v
			case []int32:
				for _, x := range v {
					got = append(got, float64(x))
				}
			}
			require.Equal(t, want[i], got, "output %d", i)
		}
	})
}

// A step of a trainer sets live sizes, binds inputs, runs and reads outputs.
func TestOpsAllocateNothing(t *testing.T) {
	forEach(t, large, func(t *testing.T, c opCase) {
		r := newRun[float32](t, c, setting{grads: !c.noGrad})
		r.results(t)
		require.Zero(t, testing.AllocsPerRun(3, func() { _ = r.p.Run() }))
	})
}

// Weights stored in 16 bits give the same bits as the same numbers in float32.
func TestOpsReadWeightsOf16Bits(t *testing.T) {
	tried := 0
	for _, dims := range [][2]int{small, large} {
		forEach(t, dims, func(t *testing.T, c opCase) {
			halvable := false
			for _, in := range c.in {
				halvable = halvable || in.weight
			}
			if !halvable {
				t.Skip("no weight")
			}
			frozen := c
			frozen.in = append([]operand(nil), c.in...)
			trainable := 0
			for i := range frozen.in {
				in := &frozen.in[i]
				in.constant = in.constant || in.weight
				if in.ids == nil && !in.constant {
					trainable++
				}
			}
			s := setting{grads: !c.noGrad && trainable > 0}
			want := newRun[float32](t, frozen, s).results(t)
			for _, dt := range []tensor.Dtype{tensor.BFloat16, tensor.Float16} {
				s.half = dt
				require.Equal(t, want, newRun[float32](t, frozen, s).results(t), dt.String())
			}
			tried++
		})
	}
	require.NotZero(t, tried)
}
