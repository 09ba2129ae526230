package losstest

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/tensor"
)

const (
	pairs = 6
	beta  = 0.3
	// step, in nats, balances rounding against curvature in central differences.
	step = 1e-5
	// differenceTol is what central differences with that step are good for, in
	// float64 and for losses of order 1; relative above.
	differenceTol = 1e-7
	// exactTol is for numbers that differ by rounding only.
	exactTol = 1e-12
	// extreme is the log-ratio, in nats, at which losses must be finite.
	extreme = 300
)

// laws are what a loss must keep, by name.
var laws = []struct {
	name string
	keep func(t checker, l dpo.Loss)
}{
	{"has a name", named},
	{"gradients are those of differences", differences},
	{"extremes are finite", finite},
	{"the order of pairs does not matter", permutes},
	{"empty slots do not count", slots},
	{"neighbours do not matter", alone},
	{"reference-free losses ignore the reference", ignoresReference},
	{"the value at the reference is the declared one", declared},
	{"a wider margin is better", falls},
}

// Run checks l against every law, each in a subtest of its name.
func Run(t *testing.T, l dpo.Loss) {
	t.Helper()
	for _, law := range laws {
		t.Run(law.name, func(t *testing.T) { law.keep(t, l) })
	}
}

func traits(l dpo.Loss) dpo.Traits {
	if d, ok := l.(dpo.Described); ok {
		return d.Traits(beta)
	}
	return dpo.Traits{}
}

func named(t checker, l dpo.Loss) {
	require.NotEmpty(t, l.Name(), "a name is how a saved run knows its loss")
}

func differences(t checker, l dpo.Loss) {
	b := random(pairs, 1)
	got := evaluate[float64](t, l, b, beta, pairs)
	for _, side := range []struct {
		name   string
		values []float64
		grad   []float64
	}{{"chosen", b.chosen, got.chosen}, {"rejected", b.rejected, got.rejected}} {
		for i := range side.values {
			at := side.values[i]
			side.values[i] = at + step
			up := total(evaluate[float64](t, l, b, beta, pairs).losses)
			side.values[i] = at - step
			down := total(evaluate[float64](t, l, b, beta, pairs).losses)
			side.values[i] = at
			want := (up - down) / (2 * step)
			assert.InDelta(t, want, side.grad[i], differenceTol*math.Max(1, math.Abs(want)), "gradient of the %s answer of pair %d", side.name, i)
		}
	}
}

// finite puts each answer, and both, e^±extreme from the reference, under every
// divergence. All stay probabilities.
func finite(t checker, l dpo.Loss) {
	b := random(9, 2)
	b.refChosen, b.refRejected = shifted(b.refChosen, -extreme), shifted(b.refRejected, -extreme)
	for i := range b.chosen {
		b.chosen[i] = b.refChosen[i] + extreme*float64(i%3-1)
		b.rejected[i] = b.refRejected[i] + extreme*float64(i/3-1)
	}
	for _, b.divergence = range []dpo.Divergence{dpo.ReverseKL{}, dpo.ForwardKL{}, dpo.JensenShannon{}, dpo.Alpha{Coef: 0.5}, dpo.Alpha{Coef: 2}} {
		allFinite[float64](t, l, b)
		allFinite[float32](t, l, b)
	}
}

func allFinite[T tensor.Float](t checker, l dpo.Loss, b batch) {
	t.Helper()
	var zero T
	got := evaluate[T](t, l, b, beta, len(b.chosen))
	for i := range b.chosen {
		c, r := b.chosen[i]-b.refChosen[i], b.rejected[i]-b.refRejected[i]
		for what, v := range map[string]float64{"loss": got.losses[i], "gradient of chosen": got.chosen[i], "gradient of rejected": got.rejected[i]} {
			assert.False(t, math.IsNaN(v) || math.IsInf(v, 0), "%T, %s: %s is %v at log-ratios %.0f and %.0f", zero, b.divergence.Name(), what, v, c, r)
		}
	}
}

func permutes(t checker, l dpo.Loss) {
	b, order := random(pairs, 3), []int{4, 0, 5, 2, 1, 3}
	straight, mixed := evaluate[float64](t, l, b, beta, pairs), evaluate[float64](t, l, b.permuted(order), beta, pairs)
	if traits(l).BatchCoupled { // the k-th loss need not be that of pair k
		slices.Sort(straight.losses)
		slices.Sort(mixed.losses)
		assert.InDeltaSlice(t, straight.losses, mixed.losses, exactTol, "losses")
	}
	for i, from := range order {
		if !traits(l).BatchCoupled {
			assert.InDelta(t, straight.losses[from], mixed.losses[i], exactTol*scale(straight.losses), "loss of pair %d", from)
		}
		assert.InDelta(t, straight.chosen[from], mixed.chosen[i], exactTol*scale(straight.chosen), "gradient of chosen %d", from)
		assert.InDelta(t, straight.rejected[from], mixed.rejected[i], exactTol*scale(straight.rejected), "gradient of rejected %d", from)
	}
}

func slots(t checker, l dpo.Loss) {
	b := random(pairs, 4)
	full, roomy := evaluate[float64](t, l, b, beta, pairs), evaluate[float64](t, l, b, beta, pairs+3)
	assert.Equal(t, full, roomy, "room for three more pairs")
}

func alone(t checker, l dpo.Loss) {
	if traits(l).BatchCoupled {
		t.Skip("the loss declares that neighbours matter")
	}
	b := random(pairs, 5)
	together := evaluate[float64](t, l, b, beta, pairs)
	for i := range pairs {
		one := evaluate[float64](t, l, b.permuted([]int{i}), beta, 1)
		assert.InDelta(t, together.losses[i], one.losses[0], exactTol*scale(together.losses), "loss of pair %d", i)
		assert.InDelta(t, together.chosen[i], one.chosen[0], exactTol*scale(together.chosen), "gradient of chosen %d", i)
		assert.InDelta(t, together.rejected[i], one.rejected[0], exactTol*scale(together.rejected), "gradient of rejected %d", i)
	}
}

func ignoresReference(t checker, l dpo.Loss) {
	if !traits(l).ReferenceFree {
		t.Skip("the loss does not declare itself reference-free")
	}
	b := random(pairs, 6)
	want := evaluate[float64](t, l, b, beta, pairs)
	for i := range b.refChosen {
		b.refChosen[i] -= float64(i)
		b.refRejected[i] += 1
	}
	assert.Equal(t, want, evaluate[float64](t, l, b, beta, pairs))
}

func declared(t checker, l dpo.Loss) {
	want := traits(l)
	if !want.Known {
		t.Skip("the loss declares no value")
	}
	for i, v := range evaluate[float64](t, l, random(pairs, 7).atReference(), beta, pairs).losses {
		assert.InDelta(t, want.AtReference, v, exactTol*math.Max(1, math.Abs(want.AtReference)), "loss of pair %d", i)
	}
}

// falls compares both sides of the reference; at it the slope may well point the
// other way (DiscoPOP's does).
func falls(t checker, l dpo.Loss) {
	right, wrong := random(pairs, 8), random(pairs, 8)
	for _, b := range []*batch{&right, &wrong} { // all stay probabilities
		b.refChosen, b.refRejected = shifted(b.refChosen, -1), shifted(b.refRejected, -1)
		*b = b.atReference()
	}
	right.chosen, right.rejected = shifted(right.chosen, 1), shifted(right.rejected, -1)
	wrong.chosen, wrong.rejected = shifted(wrong.chosen, -1), shifted(wrong.rejected, 1)
	better, worse := evaluate[float64](t, l, right, beta, pairs), evaluate[float64](t, l, wrong, beta, pairs)
	assert.Less(t, total(better.losses), total(worse.losses), "loss with the chosen answers e times as likely as at the reference, the rejected 1/e times, and the other way about")
}

// shifted is a copy of x with every number moved by d.
func shifted(x []float64, d float64) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = v + d
	}
	return out
}

func total(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum
}

// scale is the largest magnitude, at least 1.
func scale(x []float64) float64 {
	most := 1.0
	for _, v := range x {
		most = math.Max(most, math.Abs(v))
	}
	return most
}
