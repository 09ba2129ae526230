package tensor_test

import (
	"math"
	"testing"

	"github.com/posttrain/posttrain/tensor"
	"github.com/stretchr/testify/require"
)

// dropped runs Dropout on ones and returns result and gradient of a sum.
func dropped(t *testing.T, n int, p float64, salt, seed, step uint64) (y, dx []float64) {
	t.Helper()
	ones := operand{name: "x", shape: []int{n}, data: make([]float64, n), axis: "rows"}
	for i := range ones.data {
		ones.data[i] = 1
	}
	c := opCase{in: []operand{ones}, build: one(func(in nodes) *tensor.Node { return tensor.Sum(tensor.Dropout(in["x"], p, salt)) })}
	c.build = func(in nodes) tensor.Nodes {
		d := tensor.Dropout(in["x"], p, salt)
		return tensor.Nodes{d, tensor.Sum(d)}
	}
	r := newRun[float32](t, c, setting{grads: true})
	r.p.SetRandom(seed, step)
	seeds := r.values(c, setting{})
	clear(seeds["seeda"].([]float32)) // of the elements; that of the sum is 1
	require.NoError(t, tensor.Bind(r.p, r.nodes["seeda"], seeds["seeda"].([]float32)))
	require.NoError(t, tensor.Bind(r.p, r.nodes["seedb"], []float32{1}))
	out := r.results(t)
	return out[0], out[2]
}

func TestDropoutDependsOnSeedStepSaltAndPositionOnly(t *testing.T) {
	const n, p = 20000, 0.25
	y, dx := dropped(t, n, p, 1, 2, 3)
	kept := 0
	for i, v := range y {
		if v != 0 {
			kept++
			require.Equal(t, float64(float32(1/(1-p))), v)
		}
		require.Equal(t, v, dx[i], "the gradient draws the same mask")
	}
	// Five standard deviations of a binomial distribution.
	require.InDelta(t, n*(1-p), kept, 5*math.Sqrt(n*p*(1-p)))

	again, _ := dropped(t, n, p, 1, 2, 3)
	require.Equal(t, y, again)
	prefix, _ := dropped(t, 777, p, 1, 2, 3)
	require.Equal(t, y[:777], prefix)
	for _, key := range [][3]uint64{{2, 2, 3}, {1, 3, 3}, {1, 2, 4}, {1, 2, 3 + 1<<32}} {
		other, _ := dropped(t, n, p, key[0], key[1], key[2])
		same := 0
		for i := range y {
			if (y[i] == 0) == (other[i] == 0) {
				same++
			}
		}
		// Independent masks agree where both keep or both drop.
		agree := p*p + (1-p)*(1-p)
		require.InDelta(t, n*agree, same, 5*math.Sqrt(n*agree*(1-agree)), "key %v", key)
	}
	all, _ := dropped(t, 100, 0, 1, 2, 3)
	for _, v := range all {
		require.Equal(t, 1.0, v)
	}
}

// The fused low-rank path is the composition of its parts, and draws the mask
// that Dropout draws.
func TestLinearLoRAEqualsItsParts(t *testing.T) {
	for _, drop := range []float64{0, 0.4} {
		c := loraCases(300, 40)[2] // more rows than are dropped at a time
		fused := c
		o := tensor.LoRAOptions{Scale: 0.5, Dropout: drop, Salt: 9}
		fused.build = one(func(in nodes) *tensor.Node {
			return tensor.LinearLoRA(in["x"], in["w"], in["bias"], in["a"], in["b"], o)
		})
		parts := c
		parts.build = one(func(in nodes) *tensor.Node {
			low := tensor.Linear(tensor.Dropout(in["x"], o.Dropout, o.Salt), in["a"], nil)
			return tensor.Add(tensor.Linear(in["x"], in["w"], in["bias"]), tensor.Scale(tensor.Linear(low, in["b"], nil), o.Scale))
		})
		want := newRun[float64](t, parts, setting{grads: true}).results(t)
		for i, got := range newRun[float64](t, fused, setting{grads: true}).results(t) {
			requireClose(t, want[i], got, definitionTol64, "result or gradient")
		}
	}
}

// A frozen base weight costs no product, and a frozen input of the first layer
// none either.
func TestFrozenWeightsHaveNoGradientWork(t *testing.T) {
	c := loraCases(7, 21)[1]
	for i := range c.in {
		c.in[i].constant = c.in[i].name == "w" || c.in[i].name == "bias" || c.in[i].name == "x"
	}
	r := newRun[float32](t, c, setting{grads: true})
	require.Equal(t, []string{"linear_lora", "linear_lora.grad"}, r.p.Nodes())
	frozen := linearCases(7, 21)[1]
	for i := range frozen.in {
		frozen.in[i].constant = frozen.in[i].name != "x"
	}
	r = newRun[float32](t, frozen, setting{grads: true})
	require.Equal(t, []string{"linear", "linear.grad_input"}, r.p.Nodes())
}

func TestNoiseIsUniformWithinItsBound(t *testing.T) {
	const n, d, alpha = 90, 64, 5.0
	x := rows("x", n, d)
	c := opCase{in: []operand{x, ids("ends", "segments", 30, 30, 80)},
		build: one(func(in nodes) *tensor.Node { return tensor.Noise(in["x"], alpha, in["ends"], 4) })}
	y := newRun[float64](t, c, setting{}).results(t)[0]
	for _, s := range []struct{ lo, hi int }{{0, 30}, {30, 80}} {
		bound := alpha / math.Sqrt(float64((s.hi-s.lo)*d))
		var sum, square float64
		for i := s.lo * d; i < s.hi*d; i++ {
			e := y[i] - x.data[i]
			require.LessOrEqual(t, math.Abs(e), bound)
			sum += e
			square += e * e
		}
		m := float64((s.hi - s.lo) * d)
		// A uniform distribution on ±b has variance b²/3; five standard
		// deviations of the mean and of the mean square (whose own is b²·√(4/45)).
		require.InDelta(t, 0, sum/m, 5*bound/math.Sqrt(3*m))
		require.InDelta(t, bound*bound/3, square/m, 5*bound*bound*math.Sqrt(4.0/45/m))
	}
	require.Equal(t, x.data[80*d:], y[80*d:], "rows in no segment stay")
}
