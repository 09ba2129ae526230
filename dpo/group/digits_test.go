package group_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo"
	"github.com/posttrain/posttrain/dpo/group"
	"github.com/posttrain/posttrain/tensor"
)

// digits is the bed of card P10: a policy over ten digits that prefers some of
// them, and pairs of groups of which the one with the higher empirical entropy was
// preferred. No digit is better than another.
type digits struct {
	logRef           []float64
	chosen, rejected []int32
	k                int
}

func newDigits(k, groups int, flipped float64) *digits {
	d := &digits{k: k}
	total := 0.0
	for i := range 10 {
		d.logRef = append(d.logRef, -0.35*float64(i))
		total += math.Exp(d.logRef[i])
	}
	for i := range d.logRef {
		d.logRef[i] -= math.Log(total)
	}
	rng := rand.New(rand.NewPCG(8, 9))
	draw := func() (ids []int32, entropy float64) {
		counts := make([]float64, 10)
		for range k {
			u, at := rng.Float64(), int32(0)
			for p := math.Exp(d.logRef[0]); u > p && at < 9; p += math.Exp(d.logRef[at]) {
				at++
			}
			ids = append(ids, at)
			counts[at]++
		}
		for _, c := range counts {
			if c > 0 {
				entropy -= c / float64(k) * math.Log(c/float64(k))
			}
		}
		return ids, entropy
	}
	for len(d.chosen) < groups*k {
		a, ha := draw()
		b, hb := draw()
		if ha == hb {
			continue
		}
		if (ha < hb) != (rng.Float64() < flipped) {
			a, b = b, a
		}
		d.chosen, d.rejected = append(d.chosen, a...), append(d.rejected, b...)
	}
	return d
}

// train minimises the mean loss by gradient descent and returns the entropy of the
// policy.
func (d *digits) train(t *testing.T, l dpo.Loss, beta, rate float64, steps int) float64 {
	t.Helper()
	logits, err := tensor.NewParam("logits", append([]float64(nil), d.logRef...), 10)
	require.NoError(t, err)
	require.NoError(t, logits.SetTrainable(true))
	n := len(d.chosen)
	var ref, chosen, rejected, seed, ones, total, policy *tensor.Node
	var acc []tensor.Accumulation
	g, err := tensor.Build(func(g *tensor.Graph) {
		ref, seed, ones = tensor.Input(g, tensor.Float64, "ref", 10), tensor.Input(g, tensor.Float64, "seed", 1), tensor.Input(g, tensor.Float64, "ones", n)
		chosen, rejected = tensor.Input(g, tensor.Int32, "chosen", n), tensor.Input(g, tensor.Int32, "rejected", n)
		x := logits.Node(g)
		policy = tensor.Sub(x, tensor.BroadcastRows(tensor.Log(tensor.Sum(tensor.Exp(x))), x))
		ratio := tensor.Sub(policy, ref)
		total = tensor.Sum(l.Build(g, ratios(tensor.Gather(ratio, chosen), tensor.Gather(ratio, rejected), ones, beta)).Loss)
		for _, part := range tensor.Gradients(tensor.Nodes{total}, tensor.Nodes{seed}, tensor.Nodes{x})[0] {
			acc = append(acc, tensor.Accumulation{Grad: part, Into: logits})
		}
	})
	require.NoError(t, err)
	run, err := tensor.Compile(g, tensor.Nodes{total, policy}, tensor.CompileOptions{Accumulate: acc})
	require.NoError(t, err)
	require.NoError(t, tensor.Bind(run, ref, d.logRef))
	require.NoError(t, tensor.Bind(run, seed, []float64{1 / float64(n)}))
	require.NoError(t, tensor.Bind(run, chosen, d.chosen))
	require.NoError(t, tensor.Bind(run, rejected, d.rejected))
	require.NoError(t, tensor.Bind(run, ones, filled(n, 1)))
	for range steps {
		clear(logits.Grad64())
		require.NoError(t, run.Run())
		for i, g := range logits.Grad64() {
			logits.Data64()[i] -= rate * g
		}
		logits.Changed()
	}
	v, err := tensor.Values[float64](run, policy)
	require.NoError(t, err)
	return entropy(v)
}

func entropy(logP []float64) (h float64) {
	for _, lp := range logP {
		h -= lp * math.Exp(lp)
	}
	return h
}

// The check of card P10: groups of higher empirical entropy make the policy more
// uniform, and with a fifth of the labels flipped mDPO gains on DPO between single
// answers, which averages less noise away. From 1.915 nats, of at most 2.303:
//
//	           labels right     a fifth flipped
//	           DPO    mDPO      DPO    mDPO
//	k = 3      2.215  2.074     2.103  2.239
//	k = 5      2.196  1.890     2.094  2.176
//
// Where labels are never wrong the preference has no finite strength, and mDPO,
// which sees it more clearly, goes past the uniform policy to the opposite slope.
//
// The card expects that DPO between single answers cannot change the entropy. It
// can, because likely digits are rarer in groups of high entropy; and where that is
// not so nothing can: see the next test.
func TestGroupsOfHighEntropyMakeThePolicyUniform(t *testing.T) {
	const beta, rate, steps = 1, 2, 300
	for _, k := range []int{3, 5} {
		won := map[float64]float64{}
		for _, flipped := range []float64{0, 0.2} {
			d := newDigits(k, 2000, flipped)
			start, single, multi := entropy(d.logRef), d.train(t, dpo.Sigmoid{}, beta, rate, steps), d.train(t, group.MDPO{K: k}, beta, rate, steps)
			t.Logf("k %d, %g flipped: entropy %.3f, DPO %.3f, mDPO %.3f nats", k, flipped, start, single, multi)
			if flipped > 0 {
				assert.Greater(t, multi, start+0.2)
			}
			won[flipped] = multi - single
		}
		assert.Positive(t, won[0.2], "k %d", k)
		assert.Greater(t, won[0.2], won[0], "k %d", k)
	}
}

// Where each digit is as often in preferred groups as in the others, no loss of
// this form moves the policy: it is convex in scores that enter linearly, so it is
// least where all are equal. Groups of ten different digits against ten equal ones
// are the extreme case.
func TestEqualMarginalsTeachNothing(t *testing.T) {
	const k = 10
	d := newDigits(k, 1, 0)
	d.chosen, d.rejected = nil, nil
	for digit := range int32(10) {
		for i := range int32(k) {
			d.chosen, d.rejected = append(d.chosen, i), append(d.rejected, digit)
		}
	}
	for _, l := range []dpo.Loss{dpo.Sigmoid{}, group.MDPO{K: k}} {
		assert.InDelta(t, entropy(d.logRef), d.train(t, l, 1, 2, 300), 1e-9, l.Name())
	}
}
