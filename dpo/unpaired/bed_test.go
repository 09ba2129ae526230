package unpaired_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posttrain/posttrain/dpo/internal/bed"
	"github.com/posttrain/posttrain/dpo/unpaired"
	"github.com/posttrain/posttrain/tensor"
)

// table is TB2 of the method cards: one prompt, a few answers with explicit
// reference probabilities and rewards, labelled by the sign of their reward alone.
type table struct{ logRef, reward, label []float64 }

func newTable(n int) *table {
	rng := rand.New(rand.NewPCG(1, 2))
	b := &table{}
	total := 0.0
	for range n {
		b.logRef, b.reward = append(b.logRef, rng.NormFloat64()), append(b.reward, rng.NormFloat64())
		total += math.Exp(b.logRef[len(b.logRef)-1])
	}
	for i := range b.logRef {
		b.logRef[i] -= math.Log(total)
		b.label = append(b.label, map[bool]float64{true: 1}[b.reward[i] > 0])
	}
	return b
}

// expected is the mean reward of a policy.
func (b *table) expected(logPolicy []float64) float64 {
	sum := 0.0
	for i, lp := range logPolicy {
		sum += math.Exp(lp) * b.reward[i]
	}
	return sum
}

// train minimises the mean loss over all answers; z and δ are means over them.
func (b *table) train(t *testing.T, l unpaired.Loss, labels []float64) []float64 {
	t.Helper()
	const beta = 0.5
	logPolicy, _, err := bed.Problem{
		Weights: b.logRef, Floats: map[string][]float64{"ref": b.logRef, "label": labels, "share": share(len(labels))},
		Build: func(in map[string]*tensor.Node, w *tensor.Node) (loss, watch *tensor.Node) {
			policy := tensor.Sub(w, tensor.BroadcastRows(tensor.Log(tensor.Sum(tensor.Exp(w))), w))
			ratio := tensor.Sub(policy, in["ref"])
			mean := tensor.Detach(tensor.MaskedSum(ratio, in["share"]))
			terms := l.Build(nil, unpaired.LogProbs{LogProb: policy, Ratio: ratio, Desirable: in["label"],
				KL: tensor.Clip(mean, 0, math.Inf(1)), Delta: tensor.Scale(mean, beta), Beta: beta})
			each := terms.Loss
			if terms.Weight != nil {
				each = tensor.Mul(each, terms.Weight)
			}
			return tensor.MaskedSum(each, in["share"]), policy
		},
		Rate: 20, Steps: 200,
	}.Minimise()
	require.NoError(t, err)
	return logPolicy
}

func share(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = 1 / float64(n)
	}
	return out
}

// The check of card P12: thumbs up and down alone, one for each answer, raise the
// gold reward; turned round they lower it.
func TestSignsAloneRaiseTheReward(t *testing.T) {
	b := newTable(8)
	start := b.expected(b.logRef)
	flipped := make([]float64, len(b.label))
	for i, v := range b.label {
		flipped[i] = 1 - v
	}
	for _, l := range unpaired.Losses() {
		assert.Greater(t, b.expected(b.train(t, l, b.label)), start+0.3, l.Name())
		assert.Less(t, b.expected(b.train(t, l, flipped)), start-0.3, l.Name())
	}
}

// Weights say which class counts: with little on undesirable answers they keep more
// of their probability.
func TestClassWeights(t *testing.T) {
	b := newTable(8)
	rejected := func(l unpaired.Loss) float64 {
		sum := 0.0
		for i, lp := range b.train(t, l, b.label) {
			sum += math.Exp(lp) * (1 - b.label[i])
		}
		return sum
	}
	assert.Less(t, rejected(unpaired.KTO{UndesirableWeight: 4}), rejected(unpaired.KTO{}))
	assert.Less(t, rejected(unpaired.KTO{}), rejected(unpaired.KTO{UndesirableWeight: 0.1}))
	rows := []unpaired.Row{{Desirable: true}, {}, {}}
	assert.Equal(t, 0.75, unpaired.KTO{DesirableWeight: 1.5}.Balance(rows))
}
