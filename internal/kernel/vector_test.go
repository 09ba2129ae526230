package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// testLengths cover every tail, the unrolls and the blocks of reductions.
func testLengths() []int {
	var n []int
	for i := range 68 {
		n = append(n, i)
	}
	return append(n, 127, 128, 129, 255, 4095, 4096, 4097, 5000)
}

// guarded returns n values inside a larger slice at an odd offset, and a check
// that nothing around them has changed.
func guarded(r *rand.Rand, n int) (x []float32, check func(t *testing.T)) {
	const margin = 35
	offset := margin + r.IntN(16)
	raw := make([]float32, offset+n+margin)
	for i := range raw {
		raw[i] = guardValue
	}
	x = raw[offset : offset+n]
	copy(x, randoms(r, n))
	return x, func(t *testing.T) {
		t.Helper()
		for i, v := range raw {
			if i < offset || i >= offset+n {
				require.Equal(t, float32(guardValue), v, "guard at %d of %d", i-offset, n)
			}
		}
	}
}

func toWide(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// operation is an element-wise kernel with one or more outputs: run reads
// in and reads and writes out.
type operation struct {
	name     string
	ins, out int
	run32    func(out, in [][]float32)
	run64    func(out, in [][]float64)
	absolute float64 // tolerance per unit of 1+|want|; 0 means relativeTolerance
}

// relativeTolerance is two units in the last place of a float32.
const relativeTolerance = 2.5e-7

func axpyOp[T Float](out, in [][]T)    { Axpy(out[0], T(0.5), in[0]) }
func scaleOp[T Float](out, in [][]T)   { Scale(out[0], in[0], T(0.75)) }
func addOp[T Float](out, in [][]T)     { Add(out[0], in[0], in[1]) }
func mulOp[T Float](out, in [][]T)     { Mul(out[0], in[0], in[1]) }
func expOp[T Float](out, in [][]T)     { Exp(out[0], in[0]) }
func shiftOp[T Float](out, in [][]T)   { ExpShift(out[0], in[0], T(0.25)) }
func sigmoidOp[T Float](out, in [][]T) { Sigmoid(out[0], in[0]) }
func tanhOp[T Float](out, in [][]T)    { Tanh(out[0], in[0]) }
func softmaxOp[T Float](out, in [][]T) { Softmax(out[0], in[0]) }
func rmsOp[T Float](out, in [][]T)     { RMSNormRow(out[0], in[0], in[1], 1e-6, T(1)) }
func rmsBackOp[T Float](out, in [][]T) {
	RMSNormRowBackward(out[0], out[1], in[0], in[1], in[2], T(0.5), T(1))
}
func rmsBackNilOp[T Float](out, in [][]T) {
	RMSNormRowBackward(out[0], nil, in[0], in[1], in[2], T(0.5), T(0))
}
func layerOp[T Float](out, in [][]T) { LayerNormRow(out[0], in[0], in[1], in[2], 1e-5) }
func layerBackOp[T Float](out, in [][]T) {
	LayerNormRowBackward(out[0], out[1], out[2], in[0], in[1], in[2], T(0.25), T(0.5))
}
func layerNilOp[T Float](out, in [][]T) { LayerNormRow(out[0], in[0], in[1], nil, 1e-5) }
func layerBackNilOp[T Float](out, in [][]T) {
	LayerNormRowBackward(out[0], nil, nil, in[0], in[1], in[2], T(0.25), T(0.5))
}
func adamWOp[T Float](out, in [][]T) {
	for i, v := range out[2] {
		out[2][i] = max(v, -v)
	}
	AdamW(out[0], in[0], out[1], out[2], AdamWCoeff{LR: 0.01, Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, WeightDecay: 0.1, GradScale: 0.5, Step: 3})
}

func activateOp[T Float](act Activation) func(out, in [][]T) {
	return func(out, in [][]T) { Activate(out[0], in[0], act) }
}
func activateBackOp[T Float](act Activation) func(out, in [][]T) {
	return func(out, in [][]T) { ActivateBackward(out[0], in[0], in[1], act) }
}
func gluOp[T Float](act Activation) func(out, in [][]T) {
	return func(out, in [][]T) { GLU(out[0], in[0], in[1], act) }
}
func gluBackOp[T Float](act Activation) func(out, in [][]T) {
	return func(out, in [][]T) { GLUBackward(out[0], out[1], in[0], in[1], in[2], act) }
}

func operations() []operation {
	ops := []operation{
		{"Axpy", 1, 1, axpyOp[float32], axpyOp[float64], 1e-7},
		{"Scale", 1, 1, scaleOp[float32], scaleOp[float64], 0},
		{"Add", 2, 1, addOp[float32], addOp[float64], 0},
		{"Mul", 2, 1, mulOp[float32], mulOp[float64], 0},
		{"Exp", 1, 1, expOp[float32], expOp[float64], 0},
		{"ExpShift", 1, 1, shiftOp[float32], shiftOp[float64], 5e-7},
		{"Sigmoid", 1, 1, sigmoidOp[float32], sigmoidOp[float64], 0},
		{"Tanh", 1, 1, tanhOp[float32], tanhOp[float64], 0},
		{"Softmax", 1, 1, softmaxOp[float32], softmaxOp[float64], 5e-7},
		{"RMSNormRow", 2, 1, rmsOp[float32], rmsOp[float64], 5e-7},
		{"RMSNormRowBackward", 3, 2, rmsBackOp[float32], rmsBackOp[float64], 1e-6},
		{"RMSNormRowBackward/nil", 3, 1, rmsBackNilOp[float32], rmsBackNilOp[float64], 1e-6},
		{"LayerNormRow", 3, 1, layerOp[float32], layerOp[float64], 2e-6},
		{"LayerNormRowBackward", 3, 3, layerBackOp[float32], layerBackOp[float64], 2e-6},
		{"LayerNormRow/nil", 2, 1, layerNilOp[float32], layerNilOp[float64], 2e-6},
		{"LayerNormRowBackward/nil", 3, 1, layerBackNilOp[float32], layerBackNilOp[float64], 2e-6},
		{"AdamW", 1, 3, adamWOp[float32], adamWOp[float64], 5e-7},
	}
	for act, name := range map[Activation]string{ActSiLU: "SiLU", ActGELUTanh: "GELUTanh", ActGELUErf: "GELUErf"} {
		ops = append(ops,
			operation{name, 1, 1, activateOp[float32](act), activateOp[float64](act), 5e-7},
			operation{name + "Backward", 2, 1, activateBackOp[float32](act), activateBackOp[float64](act), 1e-6},
			operation{name + "GLU", 2, 1, gluOp[float32](act), gluOp[float64](act), 1e-6},
			operation{name + "GLUBackward", 3, 2, gluBackOp[float32](act), gluBackOp[float64](act), 2e-6})
	}
	return ops
}

func TestOperationsAgainstFloat64(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		for _, o := range operations() {
			t.Run(o.name, func(t *testing.T) {
				r := rand.New(rand.NewPCG(3, 4))
				for _, n := range testLengths() {
					o.compare(t, r, n)
				}
			})
		}
	})
}

func (o operation) compare(t *testing.T, r *rand.Rand, n int) {
	t.Helper()
	var in, out [][]float32
	var checks []func(*testing.T)
	make32 := func(count int) (xs [][]float32) {
		for range count {
			x, check := guarded(r, n)
			xs, checks = append(xs, x), append(checks, check)
		}
		return xs
	}
	in, out = make32(o.ins), make32(o.out)
	var in64, out64 [][]float64
	for _, x := range in {
		in64 = append(in64, toWide(x))
	}
	for _, x := range out {
		out64 = append(out64, toWide(x))
	}
	o.run32(out, in)
	o.run64(out64, in64)
	for _, check := range checks {
		check(t)
	}
	for q := range out {
		for i, want := range out64[q] {
			bound := relativeTolerance * math.Abs(want)
			if o.absolute > 0 {
				bound = o.absolute * (1 + math.Abs(want))
			}
			if got := float64(out[q][i]); math.Abs(got-want) > bound {
				require.Failf(t, "off", "n=%d output %d element %d: got %v, want %v", n, q, i, got, want)
			}
		}
		for i, x := range in {
			assert.Equal(t, in64[i], toWide(x), "input %d of n=%d changed", i, n)
		}
	}
}

// TestOperationsSameBits: kernels without transcendental functions give the
// same bits at every level, the others between avx2 and avx512.
func TestOperationsSameBits(t *testing.T) {
	exact := map[string]bool{"Axpy": true, "Scale": true, "Add": true, "Mul": true, "RMSNormRow": true, "RMSNormRowBackward": true,
		"RMSNormRowBackward/nil": true, "LayerNormRow": true, "LayerNormRow/nil": true, "LayerNormRowBackward": true, "LayerNormRowBackward/nil": true, "AdamW": true}
	for _, o := range operations() {
		for _, n := range []int{1, 15, 64, 100, 333} {
			var first [][]float32
			for l, name := range Levels() {
				if l == 0 && !exact[o.name] {
					continue
				}
				restore, err := SetLevel(name)
				require.NoError(t, err)
				r := rand.New(rand.NewPCG(9, uint64(n)))
				var in, out [][]float32
				for range o.ins {
					in = append(in, randoms(r, n))
				}
				for range o.out {
					out = append(out, randoms(r, n))
				}
				o.run32(out, in)
				restore()
				if first == nil {
					first = out
				}
				assert.Equal(t, first, out, "%s n=%d %s", o.name, n, name)
			}
		}
	}
}

// TestOperationsInPlace: the documented aliases give the result of separate
// slices.
func TestOperationsInPlace(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6))
		for _, n := range []int{1, 17, 70} {
			a, b, c := randoms(r, n), randoms(r, n), randoms(r, n)
			want, want2, got := make([]float32, n), make([]float32, n), append([]float32(nil), a...)
			GLU(want, a, b, ActSiLU)
			GLU(got, got, b, ActSiLU)
			assert.Equal(t, want, got, "GLU")
			GLUBackward(want, want2, a, b, c, ActGELUErf)
			dy, gate := append([]float32(nil), a...), append([]float32(nil), b...)
			GLUBackward(gate, dy, dy, gate, c, ActGELUErf)
			assert.Equal(t, want, gate, "GLUBackward dgate")
			assert.Equal(t, want2, dy, "GLUBackward dup")
			Softmax(want, a)
			got = append(got[:0], a...)
			Softmax(got, got)
			assert.Equal(t, want, got, "Softmax")
			RMSNormRow(want, a, b, 1e-6, 0)
			got = append(got[:0], a...)
			RMSNormRow(got, got, b, 1e-6, 0)
			assert.Equal(t, want, got, "RMSNormRow")
			RMSNormRowBackward(want, nil, a, b, c, 0.5, 0)
			got = append(got[:0], a...)
			RMSNormRowBackward(got, nil, got, b, c, 0.5, 0)
			assert.Equal(t, want, got, "RMSNormRowBackward")
		}
	})
}

func TestReductions(t *testing.T) {
	type result struct {
		sum, dot, largest float32
		squares           float64
	}
	for _, n := range testLengths() {
		var first *result
		eachLevel(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, uint64(n)))
			x, _ := guarded(r, n)
			y, _ := guarded(r, n)
			got := result{Sum(x), Dot(x, y), Max(x), SumSquares(x)}
			var sum, dot, squares, size float64
			largest := math.Inf(-1)
			for i, v := range toWide(x) {
				sum += v
				dot += v * float64(y[i])
				squares += v * v
				size += math.Abs(v) + math.Abs(v*float64(y[i]))
				largest = max(largest, v)
			}
			bound := 1e-6*size + 1e-12
			assert.InDelta(t, sum, float64(got.sum), bound)
			assert.InDelta(t, dot, float64(got.dot), bound)
			assert.InDelta(t, squares, got.squares, 1e-6*squares+1e-12)
			assert.Equal(t, float32(largest), got.largest)
			if first == nil {
				first = &got
			}
			assert.Equal(t, *first, got, "n=%d: every level gives the same bits", n)
		})
	}
}

func TestArgMax(t *testing.T) {
	assert.Equal(t, -1, ArgMax([]float32{}))
	assert.Equal(t, 1, ArgMax([]float32{1, 3, 3}))
	assert.Equal(t, 2, ArgMax([]float64{1, 3, math.NaN(), 9}))
}

// TestExpAccuracy walks over the whole range of finite results.
func TestExpAccuracy(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		worst := 0.0
		x, y := make([]float32, 4096), make([]float32, 4096)
		for lo := float32(-87.33); lo < 88.72; lo += 1 {
			for i := range x {
				x[i] = min(lo+float32(i)/4096, 88.72)
			}
			Exp(y, x)
			for i, v := range x {
				want := math.Exp(float64(v))
				worst = max(worst, math.Abs(float64(y[i])-want)/want)
			}
		}
		assert.Less(t, worst, 1.2e-7, "relative error of exp: one unit in the last place")
	})
}

func TestSpecialValues(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	eachLevel(t, func(t *testing.T) {
		for _, n := range []int{5, 16, 21, 64} { // inside a tail, a vector, both
			special := func(v float32) ([]float32, []float32) {
				x := make([]float32, n)
				x[n-1] = v
				return x, make([]float32, n)
			}
			x, y := special(inf)
			Exp(y, x)
			assert.Equal(t, inf, y[n-1])
			assert.Equal(t, float32(1), y[0])
			Sigmoid(y, x)
			assert.Equal(t, float32(1), y[n-1])
			Tanh(y, x)
			assert.Equal(t, float32(1), y[n-1])
			assert.Equal(t, inf, Max(x))
			assert.Equal(t, inf, Sum(x))
			x, y = special(-inf)
			Exp(y, x)
			assert.Zero(t, y[n-1])
			Sigmoid(y, x)
			assert.Zero(t, y[n-1])
			Tanh(y, x)
			assert.Equal(t, float32(-1), y[n-1])
			Softmax(y, x)
			assert.Zero(t, y[n-1])
			assert.InDelta(t, 1/float64(n-1), y[0], 1e-7)
			x, y = special(nan)
			for name, f := range map[string]func(dst, x []float32){"Exp": Exp[float32], "Sigmoid": Sigmoid[float32], "Tanh": Tanh[float32],
				"SiLU": SiLU[float32], "GELUTanh": GELUTanh[float32], "GELUErf": GELUErf[float32], "Softmax": Softmax[float32]} {
				f(y, x)
				assert.True(t, y[n-1] != y[n-1], "%s keeps NaN at n=%d, got %v", name, n, y[n-1])
			}
			assert.True(t, math.IsNaN(float64(Max(x))) && math.IsNaN(float64(Sum(x))) && math.IsNaN(float64(LogSumExp(x))))
			x[0], x[n-1] = nan, 3
			assert.True(t, math.IsNaN(float64(Max(x))))
			for _, huge := range []float32{1e30, -1e30, 200, -200} {
				x, y = special(huge)
				dy := make([]float32, n)
				dy[n-1] = 1
				for act := ActSiLU; act <= ActGELUErf; act++ {
					Activate(y, x, act)
					assert.Equal(t, max(huge, 0), y[n-1]+0, "%d at %v", act, huge)
					ActivateBackward(y, dy, x, act)
					assert.Equal(t, float32(math.Round(float64(huge)/math.Abs(float64(huge))/2+0.25)), y[n-1]+0, "slope of %d at %v", act, huge)
				}
			}
		}
	})
}

func TestMaxSumExp(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		for _, n := range []int{1, 3, 64, 5000} {
			x := randoms(rand.New(rand.NewPCG(1, 1)), n)
			for i := range x {
				x[i] = x[i]*3 + 500 // exp(x) itself overflows
			}
			wide := toWide(x)
			var sum float64
			for _, v := range wide {
				sum += math.Exp(v - 500)
			}
			want := 500 + math.Log(sum)
			largest, s := MaxSumExp(x)
			assert.InDelta(t, want, float64(largest)+math.Log(float64(s)), 1e-6)
			assert.InDelta(t, want, float64(LogSumExp(x)), 4e-5) // a float32 near 500
			assert.InDelta(t, want, LogSumExp(wide), 1e-10)
			kept := make([]float32, n)
			assert.Equal(t, SumExpShift(x, largest), ExpShiftSum(kept, x, largest))
		}
		largest, s := MaxSumExp([]float32{float32(math.Inf(-1)), float32(math.Inf(-1))})
		assert.True(t, math.IsInf(float64(largest), -1) && s == 0)
		assert.True(t, math.IsInf(float64(LogSumExp([]float32{})), -1))
	})
}

func TestShortSlicesPanic(t *testing.T) {
	x, short := make([]float32, 20), make([]float32, 19)
	for i, f := range []func(){
		func() { Exp(short, x) }, func() { Add(x, x, short) }, func() { Dot(x, short) }, func() { Axpy(short, 1, x) },
		func() { GLU(x, x, short, ActSiLU) }, func() { AdamW(x, x, x, short, AdamWCoeff{Step: 1}) }, func() { RMSNormRow(x, x, short, 1, 0) },
		func() { RMSNormRowBackward(x, short, x, x, x, 1, 0) }, func() { Softmax(short, x) }, func() { BF16ToF32(short, make([]uint16, 20)) },
		func() { Activate(x, x, 77) },
	} {
		assert.Panics(t, f, fmt.Sprint(i))
	}
}

func TestOperationsAllocateNothing(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		for _, o := range operations() {
			r := rand.New(rand.NewPCG(1, 1))
			in, out := [][]float32{randoms(r, 70), randoms(r, 70), randoms(r, 70)}, [][]float32{randoms(r, 70), randoms(r, 70), randoms(r, 70)}
			assert.Zero(t, testing.AllocsPerRun(5, func() { o.run32(out, in) }), o.name)
		}
		x := make([]float32, 100)
		assert.Zero(t, testing.AllocsPerRun(5, func() { _ = Sum(x) + Dot(x, x) + Max(x) + LogSumExp(x) }))
	})
}
